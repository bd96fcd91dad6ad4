import { AwqError, float32ToFloat16Bits } from '@awq/tensor'
import type { OnnxType } from './types.ts'

/** The data of a constant: numbers, bigints, or a typed array; a Uint16Array for float16 holds bit patterns. */
export type ConstantData = ArrayLike<number> | ArrayLike<bigint>

const integerRanges: Partial<Record<OnnxType, readonly [low: number, high: number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  bool: [0, 1],
}

/** A copy of a typed array's bytes (every platform that runs ONNX Runtime is little-endian, as the format is). */
const bytesOf = (array: ArrayBufferView): Uint8Array<ArrayBuffer> =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength).slice()

/** The typed arrays whose elements are an integer type's, so that nothing has to be checked. */
const exact: Partial<Record<OnnxType, new (length: number) => ArrayBufferView>> = {
  uint8: Uint8Array,
  int8: Int8Array,
  int32: Int32Array,
}

const int64Low = -(2n ** 63n)
const int64High = 2n ** 63n - 1n

function toInt64(value: number | bigint, what: string): bigint {
  const integer = typeof value === 'bigint' || Number.isSafeInteger(value) ? BigInt(value) : null
  if (integer === null || integer < int64Low || integer > int64High) {
    throw new AwqError('INVALID_ARGUMENT', `${what}: ${value} is not an int64 (give a bigint past 2^53)`)
  }
  return integer
}

/**
 * The raw bytes of a constant, converted to its element type: float32 and float16 round half-to-even, integers must fit.
 * Throws INVALID_ARGUMENT when a value does not fit and UNSUPPORTED for bfloat16 (cast a float32 constant instead).
 */
export function encodeConstant(dtype: OnnxType, data: ConstantData, what: string): Uint8Array<ArrayBuffer> {
  const values = data as ArrayLike<number | bigint>
  switch (dtype) {
    case 'float32':
      return bytesOf(data instanceof Float32Array ? data : Float32Array.from(values, Number))
    case 'float64':
      return bytesOf(data instanceof Float64Array ? data : Float64Array.from(values, Number))
    case 'float16':
      return bytesOf(
        data instanceof Uint16Array ? data : Uint16Array.from(values, (value) => float32ToFloat16Bits(Number(value))),
      )
    case 'int64':
      return bytesOf(
        data instanceof BigInt64Array ? data : BigInt64Array.from(Array.from(values, (value) => toInt64(value, what))),
      )
    case 'bfloat16':
      throw new AwqError('UNSUPPORTED', `${what}: bfloat16 constants are not written; Cast a float32 one`)
    default:
      return encodeInteger(dtype, values, what)
  }
}

function encodeInteger(
  dtype: 'uint8' | 'int8' | 'int32' | 'bool',
  values: ArrayLike<number | bigint>,
  what: string,
): Uint8Array<ArrayBuffer> {
  const exactArray = exact[dtype]
  if (exactArray && values instanceof exactArray) return bytesOf(values)
  const [low, high] = integerRanges[dtype]!
  for (let i = 0; i < values.length; i++) {
    const value = Number(values[i])
    if (!Number.isInteger(value) || value < low || value > high) {
      throw new AwqError('INVALID_ARGUMENT', `${what}: ${values[i]} at index ${i} is not a value of ${dtype}`)
    }
  }
  const numbers = Array.from(values, Number)
  return bytesOf(dtype === 'int32' ? Int32Array.from(numbers) : Uint8Array.from(numbers))
}

/** Constants up to this many elements are remembered while building, because shapes and axes may depend on them. */
const remembered = 1024

/** The elements of a small constant as numbers, for shape inference; null for large ones and for huge integers. */
export function contentOf(data: ConstantData): readonly number[] | null {
  if (data.length > remembered) return null
  const numbers = Array.from(data as ArrayLike<number | bigint>, Number)
  return numbers.every((value) => !Number.isNaN(value)) ? numbers : null
}
