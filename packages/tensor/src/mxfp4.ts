import { AwqError } from './error.ts'

/** Elements that share a scale. */
export const MXFP4_BLOCK = 32

/** E2M1: sign, two bits of exponent, one of mantissa; code 8 is minus zero. */
const values = Float32Array.of(0, 0.5, 1, 1.5, 2, 3, 4, 6, -0, -0.5, -1, -1.5, -2, -3, -4, -6)

/** Exponents of E8M0 are stored with this bias; code 255 is NaN. */
const bias = 127
const nan = 255

/**
 * MXFP4 (OCP Microscaling Formats 1.0) to the numbers that it stands for: value * 2^(scale - 127), exact in float32 but for
 * those below its range.
 * @param blocks 16 bytes for 32 elements, the first of two in the low half of a byte
 * @param scales one byte for 32 elements; 255 makes them NaN
 * @throws AwqError INVALID_ARGUMENT when the lengths do not fit each other
 */
export function decodeMxfp4(blocks: Uint8Array, scales: Uint8Array): Float32Array {
  const bytes = MXFP4_BLOCK / 2
  if (blocks.length !== scales.length * bytes) {
    throw new AwqError('INVALID_ARGUMENT', `MXFP4: ${blocks.length} bytes of codes for ${scales.length} scales`)
  }
  const result = new Float32Array(blocks.length * 2)
  for (let block = 0; block < scales.length; block++) {
    const exponent = scales[block]!
    const factor = exponent === nan ? Number.NaN : 2 ** (exponent - bias)
    for (let at = block * bytes; at < (block + 1) * bytes; at++) {
      const byte = blocks[at]!
      result[2 * at] = values[byte & 15]! * factor
      result[2 * at + 1] = values[byte >> 4]! * factor
    }
  }
  return result
}
