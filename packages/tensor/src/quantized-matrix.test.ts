import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { float16BitsToFloat32, float32ToFloat16Bits } from './minifloat.ts'
import { checkQuantizedMatrix, dequantize, groupCount, type QuantizedMatrix } from './quantized-matrix.ts'

const half = (values: number[]) => Uint16Array.from(values, float32ToFloat16Bits)

/** Two rows of five inputs in groups of two: the last group of a row is shorter. */
const small: QuantizedMatrix = {
  bits: 4,
  groupSize: 2,
  shape: [2, 5],
  codes: Uint8Array.of(0, 15, 8, 7, 1, 2, 3, 4, 5, 6),
  scales: half([1, 0.5, 2, 1, 1, 0.25]),
  zeroPoints: Uint8Array.of(8, 7, 0, 0, 15, 2),
}

describe('dequantize', () => {
  test('is (code - zero) * scale by group, the last group shorter', () => {
    expect(groupCount(small)).toBe(3)
    expect([...dequantize(small)]).toEqual([-8, 7, 0.5, 0, 2, 2, 3, -11, -10, 1])
  })

  test('puts columns to the inputs that they belong to', () => {
    const ordered = { ...small, inputOrder: Int32Array.of(3, 0, 4, 1, 2) }
    expect([...dequantize(ordered)]).toEqual([7, 0, 2, -8, 0.5, 3, -10, 1, 2, -11])
  })

  test.each([2, 3, 4, 8] as const)('without zero points the zero of %i bits is 2^(bits - 1)', (bits) => {
    const matrix: QuantizedMatrix = {
      bits,
      groupSize: 2,
      shape: [1, 2],
      codes: Uint8Array.of(0, 2 ** bits - 1),
      scales: half([1]),
      zeroPoints: null,
    }
    expect([...dequantize(matrix)]).toEqual([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1])
  })

  test('is exact: every product fits float32', () => {
    const finite = fc.integer({ min: 0, max: 0xffff }).filter((bits) => (bits & 0x7c00) !== 0x7c00)
    fc.assert(
      fc.property(finite, fc.nat(255), fc.nat(255), (scale, code, zero) => {
        const matrix: QuantizedMatrix = {
          bits: 8,
          groupSize: 1,
          shape: [1, 1],
          codes: Uint8Array.of(code),
          scales: Uint16Array.of(scale),
          zeroPoints: Uint8Array.of(zero),
        }
        expect(dequantize(matrix)[0]).toBe((code - zero) * float16BitsToFloat32(scale))
      }),
    )
  })
})

describe('checkQuantizedMatrix', () => {
  test.each<[string, Partial<Record<keyof QuantizedMatrix, unknown>>, RegExp]>([
    ['bits', { bits: 5 }, /bits must be 2, 3, 4 or 8/],
    ['a shape of one number', { shape: [10] }, /two positive integers/],
    ['an empty shape', { shape: [0, 5] }, /two positive integers/],
    ['a group size of 0', { groupSize: 0 }, /group size must be a positive integer/],
    ['too few codes', { codes: new Uint8Array(9) }, /10 codes expected, 9 given/],
    ['too many scales', { scales: new Uint16Array(7) }, /6 scales expected, 7 given/],
    ['too few zero points', { zeroPoints: new Uint8Array(5) }, /6 zero points expected, 5 given/],
    ['a code beyond the bits', { codes: new Uint8Array(10).fill(16) }, /code 16 at index 0 is above 15/],
    ['a zero point beyond the bits', { zeroPoints: Uint8Array.of(0, 0, 0, 0, 0, 16) }, /zero point 16 at index 5/],
    ['an infinite scale', { scales: half([1, 1, Infinity, 1, 1, 1]) }, /scale at index 2 is not finite/],
    ['an order that is too short', { inputOrder: Int32Array.of(0, 1, 2, 3) }, /4 inputs for 5 columns/],
    ['an order with an input twice', { inputOrder: Int32Array.of(0, 1, 2, 3, 1) }, /input 1 has two columns/],
    ['an order beyond the inputs', { inputOrder: Int32Array.of(0, 1, 2, 3, 5) }, /column 4 is of input 5/],
    ['an order below the inputs', { inputOrder: Int32Array.of(0, 1, 2, 3, -1) }, /column 4 is of input -1/],
    ['a NaN scale', { scales: half([NaN, 1, 1, 1, 1, 1]) }, /scale at index 0 is not finite/],
  ])('refuses %s', (_, change, message) => {
    const matrix = { ...small, ...change } as QuantizedMatrix
    expect(() => checkQuantizedMatrix(matrix, 'q_proj')).toThrow(message)
    expect(() => checkQuantizedMatrix(matrix, 'q_proj')).toThrow(/^q_proj \[/)
  })

  test('accepts a good one', () => expect(() => checkQuantizedMatrix(small)).not.toThrow())
})
