/**
 * Binary floating-point formats narrower than float32: IEEE 754 binary16, bfloat16, and the two 8-bit formats of the
 * OCP 8-bit Floating Point Specification 1.0. Everything works on bit patterns, so no NaN passes through a float.
 */
export interface Minifloat {
  /** Bits of the stored mantissa. */
  readonly mantissaBits: number
  readonly exponentBias: number
  /** The sign bit. */
  readonly sign: number
  /** The largest magnitude code rounding may give: infinity where the format has it and does not saturate. */
  readonly limit: number
  /** The first magnitude code that is infinity; beyond every code where the format has none. */
  readonly infinity: number
  /** The magnitude code written for NaN. */
  readonly nan: number
}

/** IEEE 754 binary16. Overflow rounds to infinity. */
export const float16: Minifloat = {
  mantissaBits: 10,
  exponentBias: 15,
  sign: 0x8000,
  limit: 0x7c00,
  infinity: 0x7c00,
  nan: 0x7e00,
}

/** OCP E4M3 (the "fn" variant): no infinity, NaN is S.1111.111, the largest value 448. Overflow saturates. */
export const float8E4M3: Minifloat = {
  mantissaBits: 3,
  exponentBias: 7,
  sign: 0x80,
  limit: 0x7e,
  infinity: 0x80,
  nan: 0x7f,
}

/** OCP E5M2: infinity and NaNs as in IEEE 754, the largest finite value 57344. Overflow, infinity too, saturates. */
export const float8E5M2: Minifloat = {
  mantissaBits: 2,
  exponentBias: 15,
  sign: 0x80,
  limit: 0x7b,
  infinity: 0x7c,
  nan: 0x7e,
}

/** The code in `format` of the float32 value with these bits, rounded half-to-even. */
export function encodeMinifloat(bits: number, format: Minifloat): number {
  const { mantissaBits, exponentBias, sign, limit } = format
  const negative = bits < 0 || bits > 0x7fffffff ? sign : 0
  const magnitude = bits & 0x7fffffff
  if (magnitude > 0x7f800000) return negative | format.nan
  if (magnitude >>> 23 >= 128 - exponentBias) {
    // A normal number of the format: move the exponent, then round away the low mantissa bits. A carry runs into the
    // exponent as it should, and what runs past the largest code is cut to the limit.
    const dropped = 23 - mantissaBits
    const moved = magnitude - ((127 - exponentBias) << 23)
    const code = (moved + (1 << (dropped - 1)) - 1 + ((moved >>> dropped) & 1)) >>> dropped
    return negative | Math.min(code, limit)
  }
  // A subnormal: the code counts units of 2^(1 - bias - mantissaBits), and float32 is mantissa * 2^(exponent - 150).
  const shift = 151 - exponentBias - mantissaBits - (magnitude >>> 23)
  // Below half of the smallest value: rounds to zero.
  if (shift > 24) return negative
  const mantissa = (magnitude & 0x7fffff) | 0x800000
  const half = 1 << (shift - 1)
  const kept = mantissa >>> shift
  const rest = mantissa & (2 * half - 1)
  return negative | (rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept)
}

/** The float32 bits of a code of `format`; exact, because every such value is a float32. */
export function decodeMinifloat(code: number, format: Minifloat): number {
  const { mantissaBits, exponentBias, sign, infinity } = format
  const negative = (code & sign) !== 0 ? 0x80000000 : 0
  const magnitude = code & (sign - 1)
  const mantissa = magnitude & ((1 << mantissaBits) - 1)
  const exponent = magnitude >>> mantissaBits
  if (magnitude >= infinity) return (negative | 0x7f800000 | (mantissa << (23 - mantissaBits))) >>> 0
  if (infinity === sign && magnitude === format.nan) return (negative | 0x7fc00000) >>> 0
  if (exponent !== 0) {
    return (negative | ((exponent + 127 - exponentBias) << 23) | (mantissa << (23 - mantissaBits))) >>> 0
  }
  if (mantissa === 0) return negative
  // Normalise: the leading one of the mantissa becomes float32's hidden bit.
  const shift = Math.clz32(mantissa) - 31 + mantissaBits
  const fraction = ((mantissa << shift) & ((1 << mantissaBits) - 1)) << (23 - mantissaBits)
  return (negative | ((128 - exponentBias - shift) << 23) | fraction) >>> 0
}

/** The bfloat16 code of a float32's bits, rounded half-to-even; a NaN stays a (quiet) NaN with its upper payload. */
export function encodeBfloat16(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16
}

const scratchFloat = new Float32Array(1)
const scratchBits = new Uint32Array(scratchFloat.buffer)

/** The binary16 bits of `x`, after x is rounded to float32; half-to-even, overflow to infinity. */
export function float32ToFloat16Bits(x: number): number {
  scratchFloat[0] = x
  return encodeMinifloat(scratchBits[0]!, float16)
}

/** The value of a binary16 bit pattern, exactly. */
export function float16BitsToFloat32(bits: number): number {
  scratchBits[0] = decodeMinifloat(bits & 0xffff, float16)
  return scratchFloat[0]!
}

const integerOnly = 2 ** 52

/** x rounded to the nearest integer, ties to even (as ONNX Round and numpy.rint); a zero result is always +0. */
export function roundHalfEven(x: number): number {
  // At 2^52 and above a float64 is an integer; adding 2^52 lets the hardware do the half-even rounding.
  if (x >= 0) return x < integerOnly ? x + integerOnly - integerOnly : x
  return x > -integerOnly ? x - integerOnly + integerOnly : x
}
