/**
 * GGML's blocks of 256 elements with scales of scales ("K-quants"), and its non-linear 4-bit blocks, as the numbers that they
 * stand for. Products of float16 scales, small scales and codes are exact in float32; a minimum is subtracted with one
 * rounding.
 * @module
 */
import { float16BitsToFloat32 } from '@awq/tensor'

/** Writes the elements of the block at `at` from `to` on. */
export type DecodeBlock = (bytes: Uint8Array, at: number, into: Float32Array, to: number) => void

/** Elements of a block. */
export const SUPER_BLOCK = 256

export const half = (bytes: Uint8Array, at: number): number => float16BitsToFloat32(bytes[at]! | (bytes[at + 1]! << 8))

const signed = (byte: number): number => (byte << 24) >> 24

/** 16 groups of 16: scale and minimum of 4 bits each, codes of 2 bits; w = d * scale * code - dmin * minimum. */
export const decodeQ2K: DecodeBlock = (bytes, at, into, to) => {
  const [d, dmin] = [half(bytes, at + 80), half(bytes, at + 82)]
  for (let i = 0; i < SUPER_BLOCK; i++) {
    const scale = bytes[at + (i >> 4)]!
    // 32 bytes hold 128 elements: the first 32 of them in the lowest two bits, and so on.
    const code = (bytes[at + 16 + (i >> 7) * 32 + (i & 31)]! >> (((i >> 5) & 3) * 2)) & 3
    into[to + i] = d * (scale & 15) * code - dmin * (scale >> 4)
  }
}

/** 16 groups of 16: scale of 6 bits less 32, codes of 3 bits less 4; w = d * scale * code. */
export const decodeQ3K: DecodeBlock = (bytes, at, into, to) => {
  const d = half(bytes, at + 108)
  for (let group = 0; group < 16; group++) {
    const low = (bytes[at + 96 + (group & 7)]! >> ((group >> 3) * 4)) & 15
    const high = (bytes[at + 104 + (group & 3)]! >> ((group >> 2) * 2)) & 3
    const scale = d * ((low | (high << 4)) - 32)
    for (let i = group * 16; i < group * 16 + 16; i++) {
      const code = (bytes[at + 32 + (i >> 7) * 32 + (i & 31)]! >> (((i >> 5) & 3) * 2)) & 3
      const kept = (bytes[at + (i & 31)]! >> (i >> 5)) & 1
      into[to + i] = scale * (code - (kept === 1 ? 0 : 4))
    }
  }
}

/** The 6-bit scale and minimum of group `group` of eight, from 12 bytes. */
const scaleAndMinimum = (bytes: Uint8Array, at: number, group: number): [scale: number, minimum: number] => {
  if (group < 4) return [bytes[at + group]! & 63, bytes[at + 4 + group]! & 63]
  const low = bytes[at + 4 + group]!
  return [(low & 15) | ((bytes[at + group - 4]! >> 6) << 4), (low >> 4) | ((bytes[at + group]! >> 6) << 4)]
}

/** 8 groups of 32: w = d * scale * code - dmin * minimum, codes of 4 bits, or of 5 with `high` bits in 32 bytes of their own. */
const decodeScaleMinimum =
  (codesAt: number, high: boolean): DecodeBlock =>
  (bytes, at, into, to) => {
    const [d, dmin] = [half(bytes, at), half(bytes, at + 2)]
    for (let group = 0; group < 8; group++) {
      const [scale, minimum] = scaleAndMinimum(bytes, at + 4, group)
      const [step, base] = [d * scale, dmin * minimum]
      const codes = at + codesAt + (group >> 1) * 32
      const shift = (group & 1) * 4
      for (let i = 0; i < 32; i++) {
        const fifth = high ? ((bytes[at + 16 + i]! >> group) & 1) << 4 : 0
        into[to + group * 32 + i] = step * (((bytes[codes + i]! >> shift) & 15) | fifth) - base
      }
    }
  }

export const decodeQ4K: DecodeBlock = decodeScaleMinimum(16, false)
export const decodeQ5K: DecodeBlock = decodeScaleMinimum(48, true)

/** 16 groups of 16: scale int8, codes of 6 bits less 32; w = d * scale * code. */
export const decodeQ6K: DecodeBlock = (bytes, at, into, to) => {
  const d = half(bytes, at + 208)
  for (let i = 0; i < SUPER_BLOCK; i++) {
    const [part, within] = [i >> 7, i & 127]
    const low = (bytes[at + part * 64 + (within & 63)]! >> ((within >> 6) * 4)) & 15
    const high = (bytes[at + 128 + part * 32 + (within & 31)]! >> ((within >> 5) * 2)) & 3
    into[to + i] = d * signed(bytes[at + 192 + (i >> 4)]!) * ((low | (high << 4)) - 32)
  }
}

/** Codes int8 with one float32 scale, and sums that follow from them. */
export const decodeQ8K: DecodeBlock = (bytes, at, into, to) => {
  const d = new DataView(bytes.buffer, bytes.byteOffset + at).getFloat32(0, true)
  for (let i = 0; i < SUPER_BLOCK; i++) into[to + i] = d * signed(bytes[at + 4 + i]!)
}

/** What the sixteen codes of IQ4 stand for. */
const levels = Int8Array.of(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)

/** 32 elements: w = d * level[code]. */
export const decodeIQ4NL: DecodeBlock = (bytes, at, into, to) => {
  const d = half(bytes, at)
  for (let i = 0; i < 32; i++) into[to + i] = d * levels[(bytes[at + 2 + (i & 15)]! >> ((i >> 4) * 4)) & 15]!
}

/** 8 groups of 32: scale of 6 bits less 32; w = d * scale * level[code]. */
export const decodeIQ4XS: DecodeBlock = (bytes, at, into, to) => {
  const d = half(bytes, at)
  const highs = bytes[at + 2]! | (bytes[at + 3]! << 8)
  for (let group = 0; group < 8; group++) {
    const low = (bytes[at + 4 + (group >> 1)]! >> ((group & 1) * 4)) & 15
    const scale = d * ((low | (((highs >> (2 * group)) & 3) << 4)) - 32)
    for (let i = 0; i < 32; i++) {
      const byte = bytes[at + 8 + group * 16 + (i & 15)]!
      into[to + group * 32 + i] = scale * levels[(byte >> ((i >> 4) * 4)) & 15]!
    }
  }
}
