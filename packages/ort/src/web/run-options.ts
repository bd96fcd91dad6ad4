import { fatalSeverity } from '../log-severity.ts'
import { made } from './calls.ts'
import { heapOf, type WasmModule } from './wasm-module.ts'

/** Options that all runs of an engine share. */
export interface WebRunOptions {
  readonly handle: number
  /** Address of the byte that ends a run between two kernels when another thread sets it to 1; undefined when it is not known. */
  readonly flag: number | undefined
  /** Makes a new run possible after one that was ended. */
  reset(): void
  release(): void
}

/** More than OrtRunOptions has before its flag. */
const searched = 64

/**
 * Where the flag is, from the start of an OrtRunOptions: the one byte that is 1 in those made with it and 0 in those made
 * without. The module has no function that sets it in existing ones, and none could be called during a run.
 */
function findFlag(module: WasmModule): number | undefined {
  const make = (terminate: boolean): number =>
    made(module, module._OrtCreateRunOptions(fatalSeverity, 0, terminate, 0), 'make run options')
  const [without, others] = [
    [make(false), make(false)],
    [make(true), make(true)],
  ]
  const heap = heapOf(module)
  const offsets = Array.from({ length: searched }, (_, offset) => offset).filter(
    (offset) =>
      without!.every((handle) => heap[handle + offset] === 0) && others!.every((handle) => heap[handle + offset] === 1),
  )
  for (const handle of [...without!, ...others!]) module._OrtReleaseRunOptions(handle)
  return offsets.length === 1 ? offsets[0] : undefined
}

export function makeRunOptions(module: WasmModule): WebRunOptions {
  const offset = findFlag(module)
  const handle = made(module, module._OrtCreateRunOptions(fatalSeverity, 0, false, 0), 'make run options')
  const flag = offset === undefined ? undefined : handle + offset
  return {
    handle,
    flag,
    reset() {
      if (flag !== undefined) Atomics.store(heapOf(module), flag, 0)
    },
    release: () => void module._OrtReleaseRunOptions(handle),
  }
}
