import { expect, test } from 'vitest'
import { decodeMxfp4 } from './mxfp4.ts'

/** E2M1 from its bits: exponent 0 is subnormal, the bias is 1. */
const fromBits = (code: number): number => {
  const exponent = (code >> 1) & 3
  const mantissa = code & 1
  const magnitude = exponent === 0 ? mantissa / 2 : (1 + mantissa / 2) * 2 ** (exponent - 1)
  return code & 8 ? -magnitude : magnitude
}

test('every code times every scale', () => {
  const codes = Uint8Array.from({ length: 16 }, (_, byte) => byte | (((byte + 5) % 16) << 4))
  for (let scale = 0; scale < 255; scale++) {
    const decoded = decodeMxfp4(codes, Uint8Array.of(scale))
    codes.forEach((byte, at) => {
      const factor = 2 ** (scale - 127)
      expect(decoded[2 * at]).toBe(Math.fround(fromBits(byte & 15) * factor))
      expect(decoded[2 * at + 1]).toBe(Math.fround(fromBits(byte >> 4) * factor))
    })
  }
})

test('scale 255 is NaN, and blocks have scales of their own', () => {
  const decoded = decodeMxfp4(new Uint8Array(32).fill(0x22), Uint8Array.of(255, 128))
  expect(decoded.slice(0, 32).every(Number.isNaN)).toBe(true)
  expect([...new Set(decoded.slice(32))]).toEqual([2])
})

test('lengths that do not fit are refused', () => {
  expect(() => decodeMxfp4(new Uint8Array(15), Uint8Array.of(1))).toThrow(/15 bytes of codes for 1 scales/)
})
