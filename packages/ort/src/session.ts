import type { OnnxType } from '@awq/onnx'
import { AwqError, messageOf } from '@awq/tensor'
import { checkFeeds, checkOutputs, isDeviceTensor, type ValueInfo } from './feeds.ts'
import { runtimeTensorOf } from './held-tensor.ts'
import type { RuntimeApi, RuntimeSession, RuntimeTensor } from './runtime-api.ts'
import { describeTensor } from './tensor.ts'
import type { Feeds, RunOptions, Session, Tensor, TypedArray } from './types.ts'

const describe = (metadata: RuntimeSession['inputMetadata']): ValueInfo[] =>
  metadata.map((value) =>
    value.isTensor
      ? { name: value.name, dtype: value.type, shape: value.shape }
      : { name: value.name, dtype: 'not a tensor', shape: [] },
  )

/** ONNX Runtime gives float16 as `Float16Array` where the platform has one; the seam always gives the bits. */
const bitsOf = (dtype: string, data: TypedArray): TypedArray =>
  dtype === 'float16' && !(data instanceof Uint16Array)
    ? new Uint16Array((data as Uint8Array).buffer, (data as Uint8Array).byteOffset, (data as Uint8Array).length)
    : data

async function toTensor(value: RuntimeTensor): Promise<Tensor> {
  const data = value.location === 'cpu' ? value.data : await value.getData(true)
  return { dtype: value.type as OnnxType, shape: value.dims, data: bitsOf(value.type, data as TypedArray) }
}

function copyInto(name: string, target: Tensor, value: Tensor): Tensor {
  if (target.data.length !== value.data.length || target.shape.some((dim, axis) => dim !== value.shape[axis])) {
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
  let disposed: Promise<void> | undefined
  let last: Promise<unknown> = Promise.resolve()

  const runNow = async (feeds: Feeds, wanted: string[], options: RunOptions): Promise<Record<string, Tensor>> => {
    options.signal?.throwIfAborted()
    const given: Record<string, RuntimeTensor> = {}
    for (const [name, value] of Object.entries(feeds)) {
      given[name] = isDeviceTensor(value)
        ? runtimeTensorOf(value)
        : new api.Tensor(value.dtype, value.data, value.shape)
    }
    let results: Awaited<ReturnType<RuntimeSession['run']>>
    try {
      results = await inner.run(given, wanted, { logSeverityLevel: 4 })
    } catch (error) {
      throw new AwqError('ENGINE', `ONNX Runtime could not run the graph: ${messageOf(error)}`, { cause: error })
    }
    options.signal?.throwIfAborted()
    const made: Record<string, Tensor> = {}
    for (const name of wanted) {
      const value = await toTensor(results[name] as RuntimeTensor)
      const target = options.into?.[name]
      made[name] = target ? copyInto(name, target, value) : value
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
      const run = last.then(() => runNow(feeds, wanted, options))
      last = run.catch(() => undefined)
      return run
    },
    dispose() {
      disposed ??= last.then(() => inner.release())
      return disposed
    },
    [Symbol.asyncDispose]: () => session.dispose(),
  }
  return session
}
