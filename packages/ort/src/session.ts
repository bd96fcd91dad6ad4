import { AwqError, messageOf } from '@awq/tensor'
import { checkFeeds, checkOutputs, isDeviceTensor, type ValueInfo } from './feeds.ts'
import { heldTensorOf, runtimeTensorOf } from './held-tensor.ts'
import { fatalSeverity } from './log-severity.ts'
import type { RuntimeApi, RuntimeSession, RuntimeTensor } from './runtime-api.ts'
import { fromRuntime, toRuntime } from './runtime-tensor.ts'
import { describeTensor } from './tensor.ts'
import { createTurns } from './turns.ts'
import type { Feeds, RunOptions, Session, Tensor } from './types.ts'

/** A dimension that ONNX Runtime could not tell is -1, which onnxruntime-web reads as an unsigned number. */
const dimensionOf = (dim: number | string): number | string =>
  typeof dim === 'number' && (dim < 0 || dim >= 2 ** 31) ? '?' : dim

const describe = (metadata: RuntimeSession['inputMetadata']): ValueInfo[] =>
  metadata.map((value) =>
    value.isTensor
      ? { name: value.name, dtype: value.type, shape: value.shape.map(dimensionOf) }
      : { name: value.name, dtype: 'not a tensor', shape: [] },
  )

function copyInto(name: string, target: Tensor, value: Tensor): Tensor {
  if (target.shape.length !== value.shape.length || target.shape.some((dim, axis) => dim !== value.shape[axis])) {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `into ${name}: the output is ${describeTensor(value)}, got room for ${describeTensor(target)}`,
    )
  }
  ;(target.data as Uint8Array).set(value.data as Uint8Array)
  return target
}

/** Wraps a session of ONNX Runtime's JavaScript API: checked feeds, one run at a time, errors in our words. */
export function wrapSession(api: RuntimeApi, inner: RuntimeSession): Session {
  const inputs = describe(inner.inputMetadata)
  const outputs = describe(inner.outputMetadata)
  const turns = createTurns()
  let disposed: Promise<void> | undefined

  const runNow = async (feeds: Feeds, wanted: string[], options: RunOptions): Promise<Record<string, Tensor>> => {
    options.signal?.throwIfAborted()
    const given: Record<string, RuntimeTensor> = {}
    for (const [name, value] of Object.entries(feeds)) {
      given[name] = isDeviceTensor(value) ? runtimeTensorOf(value) : toRuntime(api, value)
    }
    let results: Awaited<ReturnType<RuntimeSession['run']>>
    try {
      results = await inner.run(given, wanted, { logSeverityLevel: fatalSeverity })
    } catch (error) {
      throw new AwqError('ENGINE', `ONNX Runtime could not run the graph: ${messageOf(error)}`, { cause: error })
    }
    options.signal?.throwIfAborted()
    const made: Record<string, Tensor> = {}
    for (const name of wanted) {
      const value = await fromRuntime(results[name] as RuntimeTensor)
      const target = options.into?.[name]
      if (!target) made[name] = value
      else if (isDeviceTensor(target)) copyInto(name, heldTensorOf(target), value)
      else made[name] = copyInto(name, target, value)
    }
    return made
  }

  const session: Session = {
    inputNames: inner.inputNames,
    outputNames: inner.outputNames,
    async run(feeds, options = {}) {
      if (disposed) throw new AwqError('INVALID_ARGUMENT', 'run: the session has been disposed')
      options.signal?.throwIfAborted()
      checkFeeds(inputs, feeds)
      const wanted = checkOutputs(outputs, options.fetch, options.into ?? {})
      return turns.take(() => runNow(feeds, wanted, options))
    },
    bind(feeds, options = {}) {
      if (disposed) throw new AwqError('INVALID_ARGUMENT', 'bind: the session has been disposed')
      checkFeeds(inputs, feeds)
      checkOutputs(outputs, options.fetch, options.into ?? {})
      let ended = false
      return {
        async run({ signal } = {}) {
          if (ended) throw new AwqError('INVALID_ARGUMENT', 'run: the bound run has been disposed')
          return session.run(feeds, { ...options, signal })
        },
        dispose() {
          ended = true
        },
      }
    },
    dispose() {
      disposed ??= turns.take(() => inner.release())
      return disposed
    },
    [Symbol.asyncDispose]: () => session.dispose(),
  }
  return session
}
