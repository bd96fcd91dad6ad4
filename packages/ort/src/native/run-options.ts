import { fatalSeverity } from '../log-severity.ts'
import type { Runtime } from './runtime.ts'
import { check } from './status.ts'

/** The OrtRunOptions of a session, whose runs do not overlap. */
export interface SessionRunOptions {
  /** Calls `run` with the options, whose flag to terminate is set when `signal` aborts meanwhile. */
  during<T>(signal: AbortSignal | undefined, run: (options: bigint) => Promise<T>): Promise<T>
  release(): void
}

/**
 * Makes run options for a session.
 * @param freeMemory lets the arena of the CPU shrink after each run
 */
export function openRunOptions(runtime: Runtime, freeMemory = false): SessionRunOptions {
  const { api } = runtime
  const options = runtime.make('make run options', (out) => api.CreateRunOptions(out))
  const set = (status: bigint | null) => check(runtime, status, 'take a run option')
  try {
    set(api.RunOptionsSetRunLogSeverityLevel(options, fatalSeverity))
    if (freeMemory) set(api.AddRunConfigEntry(options, 'memory.enable_memory_arena_shrinkage', 'cpu:0'))
  } catch (error) {
    api.ReleaseRunOptions(options)
    throw error
  }
  let terminated = false
  return {
    async during(signal, run) {
      if (terminated) check(runtime, api.RunOptionsUnsetTerminate(options), 'run again')
      terminated = false
      if (!signal) return run(options)
      const terminate = () => {
        terminated = true
        check(runtime, api.RunOptionsSetTerminate(options), 'end a run')
      }
      signal.addEventListener('abort', terminate, { once: true })
      try {
        return await run(options)
      } finally {
        signal.removeEventListener('abort', terminate)
      }
    },
    release: () => api.ReleaseRunOptions(options),
  }
}
