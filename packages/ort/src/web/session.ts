import { AwqError } from '@awq/tensor'
import { checkFeeds, checkOutputs, type ValueInfo } from '../feeds.ts'
import type { BoundRun, Feeds, RunOptions, Session, Tensor } from '../types.ts'
import type { GpuDevice } from './gpu-device.ts'
import { type LoadedSession, releaseSession } from './load-session.ts'
import { type PreparedRun, prepareRun } from './prepared-run.ts'
import type { WebRunOptions } from './run-options.ts'
import type { WebRuntime } from './runtime.ts'
import type { TensorStore } from './tensor-store.ts'

/** A session that says what its graph takes and gives. */
export interface WebSession extends Session {
  readonly inputs: readonly ValueInfo[]
  readonly outputs: readonly ValueInfo[]
}

export interface SessionParts {
  readonly runtime: WebRuntime
  /** Taken over by the session. */
  readonly loaded: LoadedSession
  readonly store: TensorStore
  readonly gpu: GpuDevice | undefined
  /** Run options for all runs. */
  readonly runOptions: WebRunOptions
  /** Called when the session has been freed. */
  readonly onEnd: () => void
}

/** A session over the module: checked feeds, one thing at a time in the module, what it uses freed when runs have ended. */
export function wrapWebSession(parts: SessionParts): WebSession {
  const { runtime, loaded, store, gpu, runOptions, onEnd } = parts
  const { module, turns, health } = runtime
  const { inputs, outputs } = loaded
  const bound = new Set<PreparedRun>()
  let disposed: Promise<void> | undefined
  /** The run that this session has not survived. */
  let failed: AwqError | undefined

  const checkAlive = (call: string) => {
    if (disposed) throw new AwqError('INVALID_ARGUMENT', `${call}: the session has been disposed`)
  }
  /** `feeds` and `into` must not change afterwards. */
  const prepare = (feeds: Feeds, { into = {}, fetch }: Omit<RunOptions, 'signal'>): PreparedRun => {
    checkFeeds(inputs, feeds)
    return prepareRun(runtime, store, loaded, feeds, checkOutputs(outputs, fetch, into), into)
  }

  const execute = async (prepared: PreparedRun, signal: AbortSignal | undefined): Promise<Record<string, Tensor>> => {
    signal?.throwIfAborted()
    health.check()
    if (failed) {
      const reason = `a run of this session failed: create the session anew. It failed by: ${failed.message}`
      throw new AwqError('ENGINE', reason, { cause: failed })
    }
    runOptions.reset()
    let results: Record<string, Tensor>
    try {
      results = await prepared.run(runOptions.handle)
    } catch (error) {
      const explained = runtime.explain(gpu ? await gpu.reason(error) : error)
      if (!runtime.survivesFailure && explained.code === 'ENGINE') failed = explained
      signal?.throwIfAborted()
      throw explained
    }
    signal?.throwIfAborted()
    gpu?.takeError()
    return results
  }

  const end = () => {
    for (const prepared of bound) prepared.release()
    bound.clear()
    if (!health.failure) runtime.enter(() => releaseSession(module, loaded))
    onEnd()
  }

  const session: WebSession = {
    inputs,
    outputs,
    inputNames: inputs.map(({ name }) => name),
    outputNames: outputs.map(({ name }) => name),
    async run(feeds, options = {}) {
      checkAlive('run')
      options.signal?.throwIfAborted()
      const prepared = prepare(feeds, options)
      return turns.take(async () => {
        try {
          return await execute(prepared, options.signal)
        } finally {
          prepared.release()
        }
      })
    },
    bind(feeds, options = {}) {
      checkAlive('bind')
      const prepared = prepare({ ...feeds }, { ...options, into: { ...options.into } })
      bound.add(prepared)
      const run: BoundRun = {
        async run({ signal } = {}) {
          checkAlive('run')
          if (!bound.has(prepared)) throw new AwqError('INVALID_ARGUMENT', 'run: the bound run has been disposed')
          return turns.take(() => execute(prepared, signal))
        },
        dispose() {
          // After the runs in flight.
          if (bound.delete(prepared)) void turns.take(() => prepared.release())
        },
      }
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
