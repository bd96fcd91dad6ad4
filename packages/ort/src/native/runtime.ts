import { fatalSeverity } from '../log-severity.ts'
import { nativeWords } from './memory.ts'
import type { RuntimeLibrary } from './runtime-library.ts'
import { check } from './status.ts'

const arenaAllocator = 1
const defaultMemory = 0

/** What all sessions of one library share. */
export interface Runtime extends RuntimeLibrary {
  readonly env: bigint
  /** Describes memory of the process, for values made over it. */
  readonly cpuMemory: bigint
  /** The allocator of the strings that the library returns; its own, not to be released. */
  readonly allocator: bigint
  /** Calls a function that writes one pointer to an address, and returns that. Throws as `check`. Does not nest. */
  make(task: string, call: (out: bigint) => bigint | null): bigint
  /** Counts one user more: whatever calls it calls `release` once. */
  retain(): void
  /** The environment is freed with its last user. */
  release(): void
}

const runtimes = new Map<RuntimeLibrary, Runtime>()

/**
 * The environment of a library, one in the process; it lives as long as it has users. The caller is its first user.
 * @throws AwqError `ENGINE` when ONNX Runtime can not make it
 */
export function openRuntime(library: RuntimeLibrary): Runtime {
  const known = runtimes.get(library)
  if (known) {
    known.retain()
    return known
  }
  const { api } = library
  const out = nativeWords(1)
  const outAddress = library.koffi.address(out)
  const make: Runtime['make'] = (task, call) => {
    out[0] = 0n
    check(library, call(outAddress), task)
    return out[0]!
  }
  const env = make('start', (out) => api.CreateEnv(fatalSeverity, 'awq', out))
  let cpuMemory: bigint
  let allocator: bigint
  try {
    cpuMemory = make('describe memory', (out) => api.CreateCpuMemoryInfo(arenaAllocator, defaultMemory, out))
    allocator = make('give its allocator', (out) => api.GetAllocatorWithDefaultOptions(out))
  } catch (error) {
    api.ReleaseEnv(env)
    throw error
  }
  let users = 1
  const runtime: Runtime = {
    ...library,
    env,
    cpuMemory,
    allocator,
    make,
    retain() {
      users += 1
    },
    release() {
      users -= 1
      if (users > 0) return
      runtimes.delete(library)
      api.ReleaseMemoryInfo(cpuMemory)
      api.ReleaseEnv(env)
    },
  }
  runtimes.set(library, runtime)
  return runtime
}
