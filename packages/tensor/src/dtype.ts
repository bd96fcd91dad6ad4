import { AwqError } from './error.ts'

/** The element types this package reads, writes and converts, by their safetensors names. */
export type DType =
  | 'F64'
  | 'F32'
  | 'F16'
  | 'BF16'
  | 'F8_E4M3'
  | 'F8_E5M2'
  | 'I64'
  | 'I32'
  | 'I16'
  | 'I8'
  | 'U64'
  | 'U32'
  | 'U16'
  | 'U8'
  | 'BOOL'

/** Bytes of one element of each dtype. */
export const byteWidth: Readonly<Record<DType, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
}

/** Whether `name` is one of the dtypes of this package. */
export function isDType(name: string): name is DType {
  return Object.hasOwn(byteWidth, name)
}

/**
 * The number of elements of a shape, the product of its sizes; 1 for rank 0.
 * Throws INVALID_ARGUMENT when a size is not a non-negative integer or the product, zeros left out, is not a safe
 * integer (so `[2^50, 2^50, 0]` is refused although it is empty).
 */
export function elementCount(shape: readonly number[]): number {
  let product = 1
  let empty = false
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new AwqError('INVALID_ARGUMENT', `shape [${shape.join(', ')}]: ${size} is not a non-negative integer`)
    }
    if (size === 0) empty = true
    else product *= size
    if (!Number.isSafeInteger(product)) {
      throw new AwqError('INVALID_ARGUMENT', `shape [${shape.join(', ')}] has more elements than any file can hold`)
    }
  }
  return empty ? 0 : product
}

/** The bytes of a tensor of this dtype and shape. Throws as `elementCount` does. */
export function byteLength(dtype: DType, shape: readonly number[]): number {
  const bytes = elementCount(shape) * byteWidth[dtype]
  if (!Number.isSafeInteger(bytes)) {
    throw new AwqError('INVALID_ARGUMENT', `shape [${shape.join(', ')}] of ${dtype} is larger than any file`)
  }
  return bytes
}
