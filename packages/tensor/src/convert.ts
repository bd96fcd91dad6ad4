import { byteWidth, type DType } from './dtype.ts'
import { AwqError } from './error.ts'
import {
  decodeMinifloat,
  encodeBfloat16,
  encodeMinifloat,
  float8E4M3,
  float8E5M2,
  float16,
  type Minifloat,
  roundHalfEven,
} from './minifloat.ts'

const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

/** Reverses the bytes of every element in place, on machines whose order is not the files' (little-endian). */
export function swapToNative(bytes: Uint8Array, width: number, native: boolean = littleEndian): Uint8Array {
  if (native || width === 1) return bytes
  for (let start = 0; start + width <= bytes.length; start += width) bytes.subarray(start, start + width).reverse()
  return bytes
}

/** The same bytes where a typed array of this width can lie on them: themselves, or a copy when misaligned. */
function aligned(bytes: Uint8Array, width: number): Uint8Array {
  if (!littleEndian) return swapToNative(bytes.slice(), width)
  return bytes.byteOffset % width === 0 ? bytes : bytes.slice()
}

/** The float32 bits of every code of a narrow format: 256 or 65536 entries, made at first use. */
function decoder(format: Minifloat): () => Uint32Array {
  let table: Uint32Array | undefined
  return () => {
    table ??= Uint32Array.from({ length: 2 * format.sign }, (_, code) => decodeMinifloat(code, format))
    return table
  }
}

const float16Table = decoder(float16)
const float8E4M3Table = decoder(float8E4M3)
const float8E5M2Table = decoder(float8E5M2)

/** Looks every code up. Bits, not floats, are copied: engines may change a NaN's bits when it passes as a number. */
function lookUp(codes: Uint8Array | Uint16Array, table: Uint32Array): Float32Array {
  const bits = new Uint32Array(codes.length)
  for (let i = 0; i < codes.length; i++) bits[i] = table[codes[i]!]!
  return new Float32Array(bits.buffer)
}

function widenBfloat16(codes: Uint16Array): Float32Array {
  const bits = new Uint32Array(codes.length)
  for (let i = 0; i < codes.length; i++) bits[i] = codes[i]! << 16
  return new Float32Array(bits.buffer)
}

/**
 * A 64-bit integer as the nearest float32. Number() rounds to 53 bits first; folding the bits below 2^11 into one
 * sticky bit beforehand makes that step exact, so that nothing is rounded twice.
 */
function bigToFloat(value: bigint): number {
  const number = Number(value)
  if (Number.isSafeInteger(number)) return number
  const sticky = (value & 0x7ffn) === 0n ? 0n : 1n
  return Number(((value >> 11n) | sticky) << 11n)
}

/** The typed array of a dtype over `bytes`; a view when they are aligned, else over a copy. */
const arrays = {
  F64: (bytes) => new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8),
  F32: (bytes) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4),
  F16: (bytes) => new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2),
  BF16: (bytes) => new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2),
  F8_E4M3: (bytes) => bytes,
  F8_E5M2: (bytes) => bytes,
  I64: (bytes) => new BigInt64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8),
  I32: (bytes) => new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4),
  I16: (bytes) => new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2),
  I8: (bytes) => new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length),
  U64: (bytes) => new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8),
  U32: (bytes) => new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4),
  U16: (bytes) => new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2),
  U8: (bytes) => bytes,
  BOOL: (bytes) => bytes,
} satisfies Record<DType, (bytes: Uint8Array) => ArrayBufferView>

function checkLength(bytes: Uint8Array, dtype: DType): void {
  if (bytes.length % byteWidth[dtype] !== 0) {
    throw new AwqError('INVALID_ARGUMENT', `${bytes.length} bytes are not a whole number of ${dtype} elements`)
  }
}

/**
 * Little-endian elements of `dtype` as float32, in a new array: exact for F32, F16, BF16, F8, integers to 2^24 and
 * BOOL (any byte but 0 is 1); F64 and larger integers are rounded once, half-to-even. `bytes` may lie anywhere.
 * Throws INVALID_ARGUMENT when the bytes are not a whole number of elements.
 */
export function toFloat32(bytes: Uint8Array, dtype: DType): Float32Array {
  checkLength(bytes, dtype)
  const source = aligned(bytes, byteWidth[dtype])
  switch (dtype) {
    case 'F16':
      return lookUp(arrays.F16(source), float16Table())
    case 'BF16':
      return widenBfloat16(arrays.BF16(source))
    case 'F8_E4M3':
      return lookUp(source, float8E4M3Table())
    case 'F8_E5M2':
      return lookUp(source, float8E5M2Table())
    case 'I64':
    case 'U64':
      return Float32Array.from(arrays[dtype](source) as BigInt64Array, bigToFloat as never)
    case 'BOOL':
      return Float32Array.from(source, (byte) => (byte === 0 ? 0 : 1))
    default:
      return new Float32Array(arrays[dtype](source))
  }
}

const integerRange: Partial<Record<DType, readonly [low: number, high: number]>> = {
  I32: [-(2 ** 31), 2 ** 31 - 1],
  I16: [-(2 ** 15), 2 ** 15 - 1],
  I8: [-128, 127],
  U32: [0, 2 ** 32 - 1],
  U16: [0, 65535],
  U8: [0, 255],
}

const bigRange = {
  I64: [-(2n ** 63n), 2n ** 63n - 1n],
  U64: [0n, 2n ** 64n - 1n],
} as const

/** x rounded half-to-even and held in the range of a 64-bit integer; NaN gives 0. */
function floatToBig(x: number, [low, high]: readonly [bigint, bigint]): bigint {
  if (Number.isNaN(x)) return 0n
  if (!Number.isFinite(x)) return x > 0 ? high : low
  const value = BigInt(roundHalfEven(x))
  return value < low ? low : value > high ? high : value
}

/** The values' bits as signed integers, which engines handle faster than unsigned ones. */
function bitsOf(values: Float32Array): Int32Array {
  return new Int32Array(values.buffer, values.byteOffset, values.length)
}

function narrow<T extends Uint8Array | Uint16Array>(values: Float32Array, out: T, format: Minifloat): void {
  const bits = bitsOf(values)
  for (let i = 0; i < bits.length; i++) out[i] = encodeMinifloat(bits[i]!, format)
}

function narrowBfloat16(values: Float32Array, out: Uint16Array): void {
  const bits = bitsOf(values)
  for (let i = 0; i < bits.length; i++) out[i] = encodeBfloat16(bits[i]!)
}

/**
 * float32 values as little-endian elements of `dtype`, in new bytes. F16 and BF16 round half-to-even and overflow to
 * infinity; F8 rounds half-to-even and saturates, infinities too (OCP 8-bit Floating Point Specification, saturating
 * mode); integers round half-to-even and saturate, NaN becomes 0; BOOL is 1 for everything but 0. F64 is exact.
 */
export function fromFloat32(values: Float32Array, dtype: DType): Uint8Array {
  const bytes = new Uint8Array(values.length * byteWidth[dtype])
  switch (dtype) {
    case 'F16':
      narrow(values, arrays.F16(bytes), float16)
      break
    case 'BF16':
      narrowBfloat16(values, arrays.BF16(bytes))
      break
    case 'F8_E4M3':
      narrow(values, bytes, float8E4M3)
      break
    case 'F8_E5M2':
      narrow(values, bytes, float8E5M2)
      break
    case 'F64':
    case 'F32':
      arrays[dtype](bytes).set(values)
      break
    case 'I64':
    case 'U64': {
      const out = arrays[dtype](bytes)
      for (let i = 0; i < values.length; i++) out[i] = floatToBig(values[i]!, bigRange[dtype])
      break
    }
    case 'BOOL':
      for (let i = 0; i < values.length; i++) bytes[i] = values[i] === 0 ? 0 : 1
      break
    default: {
      const out = arrays[dtype](bytes)
      const [low, high] = integerRange[dtype]!
      for (let i = 0; i < values.length; i++) {
        const x = values[i]!
        out[i] = Number.isNaN(x) ? 0 : Math.min(high, Math.max(low, roundHalfEven(x)))
      }
    }
  }
  return swapToNative(bytes, byteWidth[dtype])
}
