import { AwqError } from '@awq/tensor'
import { checkFeeds, checkOutputs } from '../feeds.ts'
import type { Turns } from '../turns.ts'
import type { BoundRun, Feeds, RunOptions, Session, Tensor } from '../types.ts'
import { callAsync } from './call-async.ts'
import { describeInputs, describeOutputs } from './metadata.ts'
import { nameTable, type PreparedRun, prepareRun } from './prepared-run.ts'
import { openRunOptions, type SessionRunOptions } from './run-options.ts'
import type { Runtime } from './runtime.ts'
import { startWhereShort } from './short-runs.ts'
import type { TensorStore } from './tensor-store.ts'
import { trimMemory } from './trim-memory.ts'

export interface SessionParts {
  /** An OrtSession, which the session takes over. */
  readonly pointer: bigint
  readonly store: TensorStore
  /** The queue that its runs take their turn in: one of its own, or the device's. */
  readonly turns: Turns
  /** Called when the session has been freed. */
  readonly onEnd: () => void
  /** Whether a profile has to be written at the end. */
  readonly profiled: boolean
  /** Whether it runs on the CPU: short bound runs may then stay on the calling thread, and memory can be given back. */
  readonly onCpu?: boolean | undefined
  /** Called when a bound run has run so often that its memory is all there. */
  readonly onSteady?: (() => void) | undefined
}

/** Runs after which a bound run is taken for the loop it was made for. */
const steadyAfter = 8

/** What is read from a session when it is made. Frees the session when that fails. */
function openParts(runtime: Runtime, { pointer }: SessionParts) {
  try {
    const inputs = describeInputs(runtime, pointer)
    const outputs = describeOutputs(runtime, pointer)
    return { inputs, outputs, runOptions: openRunOptions(runtime) }
  } catch (error) {
    runtime.api.ReleaseSession(pointer)
    throw error
  }
}

/**
 * A session over the C API. Runs go to another thread, short bound ones excepted, one at a time; what they use is freed
 * when they have ended.
 */
export function wrapNativeSession(runtime: Runtime, parts: SessionParts): Session {
  const { api } = runtime
  const { pointer, store, turns } = parts
  const { inputs, outputs, runOptions } = openParts(runtime, parts)
  const inputNames = inputs.map(({ name }) => name)
  const outputNames = outputs.map(({ name }) => name)
  const names = nameTable(runtime, inputNames, outputNames)
  const bound = new Set<BoundRun>()
  let disposed: Promise<void> | undefined

  const checkAlive = (call: string) => {
    if (disposed) throw new AwqError('INVALID_ARGUMENT', `${call}: the session has been disposed`)
  }

  /** Checks and prepares a run. `feeds` and `into` must not change afterwards. */
  const prepare = (feeds: Feeds, { into = {}, fetch }: Omit<RunOptions, 'signal'>): PreparedRun => {
    checkFeeds(inputs, feeds)
    return prepareRun(runtime, store, names, feeds, checkOutputs(outputs, fetch, into), into)
  }

  /** Run options that free memory, made when first asked for. */
  let freeing: SessionRunOptions | undefined

  const execute = async (
    prepared: PreparedRun,
    signal: AbortSignal | undefined,
    start = prepared.start,
    chosen = runOptions,
  ): Promise<Record<string, Tensor>> => {
    signal?.throwIfAborted()
    prepared.check()
    const status = await chosen.during(signal, (options) => start(pointer, options))
    if (signal?.aborted) {
      prepared.discard(status)
      throw signal.reason
    }
    return prepared.finish(status)
  }

  const end = async () => {
    for (const run of bound) run.dispose()
    runOptions.release()
    freeing?.release()
    try {
      if (parts.profiled) endProfile(runtime, pointer)
    } finally {
      // On another thread: the memory of a large model takes a tenth of a second to free.
      await callAsync(api.ReleaseSession, [], pointer)
      parts.onEnd()
    }
  }

  const session: Session = {
    inputNames,
    outputNames,
    async run(feeds, options = {}) {
      checkAlive('run')
      options.signal?.throwIfAborted()
      const prepared = prepare(feeds, options)
      // Freed within its turn, so that it is before the session is.
      return turns.take(async () => {
        try {
          const frees = options.freeMemory && parts.onCpu
          if (frees) freeing ??= openRunOptions(runtime, true)
          const results = await execute(prepared, options.signal, prepared.start, frees ? freeing : runOptions)
          if (frees) await trimMemory(runtime.koffi)
          return results
        } finally {
          prepared.release()
        }
      })
    },
    bind(feeds, options = {}) {
      checkAlive('bind')
      const prepared = prepare({ ...feeds }, { ...options, into: { ...options.into } })
      const start = parts.onCpu ? startWhereShort(prepared) : prepared.start
      let ended = false
      let running = 0
      let runs = 0
      const run: BoundRun = {
        async run({ signal } = {}) {
          if (ended) throw new AwqError('INVALID_ARGUMENT', 'run: the bound run has been disposed')
          checkAlive('run')
          running += 1
          runs += 1
          if (runs === steadyAfter) parts.onSteady?.()
          return turns.take(() =>
            execute(prepared, signal, start).finally(() => {
              running -= 1
              if (ended && running === 0) prepared.release()
            }),
          )
        },
        dispose() {
          if (ended) return
          ended = true
          bound.delete(run)
          if (running === 0) prepared.release()
        },
      }
      bound.add(run)
      return run
    },
    dispose() {
      disposed ??= turns.take(end)
      return disposed
    },
    [Symbol.asyncDispose]: () => session.dispose(),
  }
  return session
}

/** Writes the trace of the kernels and frees its name. */
function endProfile(runtime: Runtime, session: bigint): void {
  const { api, allocator } = runtime
  const name = runtime.make('write the profile', (out) => api.SessionEndProfiling(session, allocator, out))
  runtime.make('free a name', () => api.AllocatorFree(allocator, name))
}
