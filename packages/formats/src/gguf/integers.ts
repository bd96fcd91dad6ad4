/**
 * Matrices of integers in GGUF's blocks of 32, and back. Nothing is rounded but the minimum of Q4_1: its blocks hold
 * w = d code + m, with m = -zero * scale rounded to float16.
 *
 * - Q4_0: symmetric codes of 2, 3 and 4 bits, moved so that their zero is 8. Q4_1: those with zero points.
 * - Q8_0: symmetric codes of 8 bits. Q5_0, read only: as 8 bits.
 *
 * Groups of a multiple of 32, and whole rows, repeat their scale.
 * @module
 */
import { AwqError, float16BitsToFloat32, float32ToFloat16Bits, groupCount, type QuantizedMatrix } from '@awq/tensor'
import { BLOCK, type GgufType, ggufType } from './types.ts'

/** What decides which blocks hold a matrix. */
interface Held {
  readonly bits: QuantizedMatrix['bits']
  readonly symmetric: boolean
  /** -1 or the width: whole rows. */
  readonly groupSize: number
  readonly shape: readonly [out: number, width: number]
}

/** The blocks that hold a matrix, or why none does. */
export const integerType = ({ bits, symmetric, groupSize, shape }: Held): GgufType | string => {
  const [, width] = shape
  if (width % BLOCK !== 0) return `rows of ${width} do not divide into GGUF's blocks of ${BLOCK}`
  const whole = groupSize === -1 || groupSize >= width
  if (!whole && groupSize % BLOCK !== 0) return `groups of ${groupSize} are no multiple of GGUF's blocks of ${BLOCK}`
  if (bits === 8) return symmetric ? ggufType('Q8_0') : '8 bits with zero points; GGUF has 8 bits without them only'
  return ggufType(symmetric ? 'Q4_0' : 'Q4_1')
}

/** How an integer type of GGUF is read. */
interface Reading {
  readonly bits: 4 | 8
  /** Bytes of scale and minimum in front of the codes. */
  readonly head: number
  readonly code: (bytes: Uint8Array, at: number, i: number) => number
}

const nibbleAt =
  (head: number) =>
  (bytes: Uint8Array, at: number, i: number): number =>
    (bytes[at + head + (i & 15)]! >> ((i >> 4) * 4)) & 15

const readings: Readonly<Record<string, Reading>> = {
  Q4_0: { bits: 4, head: 2, code: nibbleAt(2) },
  Q4_1: { bits: 4, head: 4, code: nibbleAt(4) },
  // Zero is 16 there and 128 here.
  Q5_0: {
    bits: 8,
    head: 6,
    code: (bytes, at, i) =>
      ((bytes[at + 6 + (i & 15)]! >> ((i >> 4) * 4)) & 15) + ((bytes[at + 2 + (i >> 3)]! >> (i & 7)) & 1) * 16 + 112,
  },
  Q8_0: { bits: 8, head: 2, code: (bytes, at, i) => bytes[at + 2 + i]! ^ 0x80 },
}

/** Whether blocks of this type are codes with one scale, and of Q4_1 with a minimum that may be a zero point. */
export const hasIntegers = ({ name }: GgufType): boolean => Object.hasOwn(readings, name)

const halfBits = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8)

/** The zero point z of 0..15 with float16(-z * scale) = minimum, whatever the sign of zero; -1 when there is none. */
export const zeroPointOf = (scale: number, minimum: number): number => {
  const [d, m] = [float16BitsToFloat32(scale), float16BitsToFloat32(minimum)]
  if (m === 0) return 0
  const near = Math.round(-m / d)
  for (const zero of [near, near - 1, near + 1])
    if (zero >= 0 && zero <= 15 && float32ToFloat16Bits(-zero * d) === minimum) return zero
  return -1
}

/**
 * The matrix [out, width] of blocks whose integers can be moved; null for Q4_1 blocks whose minimum is no whole multiple of
 * their scale, as those that llama.cpp makes itself.
 */
export const readIntegers = (
  bytes: Uint8Array,
  type: GgufType,
  shape: readonly [out: number, width: number],
): QuantizedMatrix | null => {
  const { bits, code } = readings[type.name]!
  const [out, width] = shape
  const blocks = (out * width) / BLOCK
  const codes = new Uint8Array(out * width)
  const scales = new Uint16Array(blocks)
  const zeroPoints = type.name === 'Q4_1' ? new Uint8Array(blocks) : null
  for (let block = 0; block < blocks; block++) {
    const at = block * type.bytes
    const scale = halfBits(bytes, at)
    scales[block] = scale
    if (zeroPoints) {
      const zero = zeroPointOf(scale, halfBits(bytes, at + 2))
      if (zero < 0) return null
      zeroPoints[block] = zero
    }
    for (let i = 0; i < BLOCK; i++) codes[block * BLOCK + i] = code(bytes, at, i)
  }
  return { bits, groupSize: BLOCK, shape, codes, scales, zeroPoints }
}

/** Whether Q4_1 blocks are integers with zero points: looks at no more than it must. */
export const isZeroPointed = (bytes: Uint8Array): boolean => {
  const size = ggufType('Q4_1').bytes
  for (let at = 0; at < bytes.length; at += size)
    if (zeroPointOf(halfBits(bytes, at), halfBits(bytes, at + 2)) < 0) return false
  return true
}

/**
 * The blocks of a matrix, of the type that `integerType` names.
 * @throws AwqError UNSUPPORTED when none holds it, NUMERIC when a minimum is beyond float16
 */
export const writeIntegers = (matrix: QuantizedMatrix, name: string): Uint8Array => {
  const { bits, groupSize, shape, codes, scales, zeroPoints } = matrix
  const type = integerType({ bits, symmetric: zeroPoints === null, groupSize, shape })
  if (typeof type === 'string') throw new AwqError('UNSUPPORTED', `${name}: ${type}`)
  const [out, width] = shape
  const [perRow, groups] = [width / BLOCK, groupCount(matrix)]
  const bytes = new Uint8Array(out * perRow * type.bytes)
  const shift = zeroPoints === null && bits < 8 ? 8 - 2 ** (bits - 1) : 0
  const head = zeroPoints === null ? 2 : 4
  for (let row = 0; row < out; row++) {
    for (let block = 0; block < perRow; block++) {
      const at = (row * perRow + block) * type.bytes
      const from = row * width + block * BLOCK
      const group = row * groups + Math.floor((block * BLOCK) / groupSize)
      const scale = scales[group]!
      bytes[at] = scale & 255
      bytes[at + 1] = scale >> 8
      if (zeroPoints) {
        const minimum = float32ToFloat16Bits(-zeroPoints[group]! * float16BitsToFloat32(scale))
        if ((minimum & 0x7c00) === 0x7c00) {
          throw new AwqError(
            'NUMERIC',
            `${name}: zero point times scale of row ${row} is beyond float16, which Q4_1 has`,
          )
        }
        bytes[at + 2] = minimum & 255
        bytes[at + 3] = minimum >> 8
      }
      if (bits === 8) for (let i = 0; i < BLOCK; i++) bytes[at + 2 + i] = codes[from + i]! ^ 0x80
      else
        for (let i = 0; i < 16; i++)
          bytes[at + head + i] = (codes[from + i]! + shift) | ((codes[from + 16 + i]! + shift) << 4)
    }
  }
  return bytes
}
