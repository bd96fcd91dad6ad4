import type { OnnxType } from '@awq/onnx'
import type { RuntimeApi, RuntimeTensor } from './runtime-api.ts'
import type { Tensor, TypedArray } from './types.ts'

/**
 * Makes the runtime's tensor over the same memory.
 *
 * Where the platform has `Float16Array` (Node 24), the runtime's constructor turns float16 bits into one, whose type its
 * native part does not know: it then sees no data. An own `data` property with the bits goes before the getter it reads.
 */
export function toRuntime(api: RuntimeApi, value: Tensor): RuntimeTensor {
  const made = new api.Tensor(value.dtype, value.data, value.shape)
  if (value.dtype === 'float16') Object.defineProperty(made, 'data', { value: value.data })
  return made
}

/** Reads the runtime's tensor, from its device if need be; float16 as bits whatever array the runtime made. */
export async function fromRuntime(value: RuntimeTensor): Promise<Tensor> {
  const data = (value.location === 'cpu' ? value.data : await value.getData(true)) as TypedArray
  const isBits = value.type !== 'float16' || data instanceof Uint16Array
  return {
    dtype: value.type as OnnxType,
    shape: value.dims,
    data: isBits ? data : new Uint16Array(data.buffer, data.byteOffset, data.length),
  }
}
