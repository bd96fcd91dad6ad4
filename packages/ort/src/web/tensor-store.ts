import type { OnnxType } from '@awq/onnx'
import { elementTypeOf } from '../element-type.ts'
import { sizeOf, zeros } from '../tensor.ts'
import type { DeviceTensor, Tensor } from '../types.ts'
import { made } from './calls.ts'
import { dataLocation, type WasmModule } from './wasm-module.ts'

/** A device tensor lent to a run or to a bound run. */
export interface Loan {
  /** The OrtValue, made when a run needs it. Throws `INVALID_ARGUMENT` when the tensor was disposed, `ENGINE` when it was never made. */
  value(session: number): Promise<number> | number
  /** Ends the loan; called once, after the last run. */
  release(): void
}

/** How an engine keeps its device tensors and lends them to runs. */
export interface TensorStore {
  upload(value: Tensor): DeviceTensor
  allocate(dtype: OnnxType, shape: readonly number[]): DeviceTensor
  /** Throws `INVALID_ARGUMENT` for a handle that was disposed or that another engine made. */
  lend(handle: DeviceTensor, name: string): Loan
  /** Copies the values of one handle to another of the same kind, in turn; a store whose runs may always write over their inputs has none. */
  copy?(from: DeviceTensor, to: DeviceTensor): void
  /** Frees all that is left. */
  dispose(): void
}

/** Bytes of a tensor's values. */
export const bytesOf = ({ dtype, shape }: Pick<Tensor, 'dtype' | 'shape'>): number =>
  sizeOf(shape) * zeros(dtype, [0]).data.BYTES_PER_ELEMENT

/** An OrtValue over memory that must stay as long as it. */
export function makeValue(
  module: WasmModule,
  { dtype, shape }: Pick<Tensor, 'dtype' | 'shape'>,
  pointer: number,
  location: keyof typeof dataLocation,
  name: string,
): number {
  const stack = module.stackSave()
  try {
    const dims = module.stackAlloc(4 * Math.max(shape.length, 1)) >>> 0
    for (const [axis, dim] of shape.entries()) module.HEAPU32[(dims >>> 2) + axis] = dim
    const [type, bytes] = [elementTypeOf[dtype], bytesOf({ dtype, shape })]
    const value = module._OrtCreateTensor(type, pointer, bytes, dims, shape.length, dataLocation[location])
    return made(module, value, `take ${name}`)
  } finally {
    module.stackRestore(stack)
  }
}
