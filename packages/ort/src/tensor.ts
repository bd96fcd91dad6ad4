import type { OnnxType } from '@awq/onnx'
import { AwqError } from '@awq/tensor'
import type { Tensor, TypedArray } from './types.ts'

type TypedArrayConstructor = new (length: number) => TypedArray

const arrays: Readonly<Record<OnnxType, TypedArrayConstructor>> = {
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  float64: Float64Array,
  uint8: Uint8Array,
  int8: Int8Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
}

/** The array type that holds values of `dtype`; undefined when `dtype` is none of ours (it may come from a caller without types). */
const arrayOf = (dtype: string): TypedArrayConstructor | undefined =>
  Object.hasOwn(arrays, dtype) ? arrays[dtype as OnnxType] : undefined

/** Number of elements of a shape: the product of its dimensions, 1 for a scalar. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, dim) => product * dim, 1)

/** `float32 [2, 3]`, for messages. */
export const describeTensor = (value: { dtype: string; shape: readonly (number | string)[] }): string =>
  `${value.dtype} [${value.shape.join(', ')}]`

/** Throws `INVALID_ARGUMENT` for an unknown dtype or a bad shape; gives the array type of the dtype. */
export function checkKind(dtype: OnnxType, shape: readonly number[], name: string): TypedArrayConstructor {
  const Data = arrayOf(dtype)
  if (!Data) throw new AwqError('INVALID_ARGUMENT', `${name}: unknown dtype ${JSON.stringify(dtype)}`)
  if (!Array.isArray(shape) || shape.some((dim) => !Number.isSafeInteger(dim) || dim < 0)) {
    throw new AwqError('INVALID_ARGUMENT', `${name}: the shape [${String(shape)}] is not a list of whole numbers >= 0`)
  }
  return Data
}

/**
 * Checks that a tensor is whole: known dtype, dimensions >= 0, the right array type and as many elements as the shape
 * says. Throws `INVALID_ARGUMENT` with `name` in the message.
 */
export function checkTensor(value: Tensor, name: string): void {
  const expected = checkKind(value.dtype, value.shape, name)
  if (!(value.data instanceof expected)) {
    const got = Object.prototype.toString.call(value.data).slice(8, -1)
    throw new AwqError(
      'INVALID_ARGUMENT',
      `${name}: data of dtype ${value.dtype} must be a ${expected.name}, got ${got}`,
    )
  }
  const size = sizeOf(value.shape)
  if (value.data.length !== size) {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `${name}: the shape [${value.shape.join(', ')}] has ${size} elements, the data ${value.data.length}`,
    )
  }
}

/**
 * Makes a CPU tensor over `data` (not copied).
 * @throws AwqError `INVALID_ARGUMENT` when the data's length is not the product of the shape, or its array type does
 *   not belong to `dtype` (float16 and bfloat16: `Uint16Array` with the bits; bool: `Uint8Array`)
 */
export function tensor(dtype: OnnxType, shape: readonly number[], data: TypedArray): Tensor {
  const value: Tensor = { dtype, shape: [...shape], data }
  checkTensor(value, 'tensor')
  return value
}

/** Makes a CPU tensor filled with zeros. Throws `INVALID_ARGUMENT` for an unknown dtype or a bad shape. */
export function zeros(dtype: OnnxType, shape: readonly number[]): Tensor {
  const Data = checkKind(dtype, shape, 'zeros')
  return { dtype, shape: [...shape], data: new Data(sizeOf(shape)) }
}
