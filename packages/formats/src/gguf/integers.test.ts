import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { dequantize, float16BitsToFloat32, float32ToFloat16Bits, type QuantizedMatrix } from '@awq/tensor'
import { describe, expect, test } from 'vitest'
import { hasIntegers, integerType, isZeroPointed, readIntegers, writeIntegers, zeroPointOf } from './integers.ts'
import { BLOCK, type GgufType, ggufType, ggufTypes } from './types.ts'

const path = fileURLToPath(new URL('../fixtures/gguf-blocks.json', import.meta.url))
const { cases } = JSON.parse(readFileSync(path, 'utf8')) as {
  cases: Record<string, { bytes: string; values: string }>
}
const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))

/** Any matrix; `random` is a linear congruence. */
const matrixOf = (
  bits: QuantizedMatrix['bits'],
  symmetric: boolean,
  groupSize: number,
  shape: readonly [number, number],
): QuantizedMatrix => {
  let state = bits * 100 + groupSize
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const groups = shape[0] * Math.ceil(shape[1] / groupSize)
  return {
    bits,
    groupSize,
    shape,
    codes: Uint8Array.from({ length: shape[0] * shape[1] }, () => random(2 ** bits)),
    scales: Uint16Array.from({ length: groups }, () => float32ToFloat16Bits((random(1000) - 300) / 30000)),
    zeroPoints: symmetric ? null : Uint8Array.from({ length: groups }, () => random(2 ** bits)),
  }
}

const decoded = (bytes: Uint8Array, type: GgufType): Float32Array => {
  const values = new Float32Array((bytes.length / type.bytes) * type.block)
  for (let i = 0; i * type.bytes < bytes.length; i++) type.decode?.(bytes, i * type.bytes, values, i * type.block)
  return values
}

describe('reading', () => {
  test.each(['Q4_0', 'Q5_0', 'Q8_0'])('%s as integers is what the gguf package reads', (name) => {
    const given = cases[name] as { bytes: string; values: string }
    const matrix = readIntegers(bytesOf(given.bytes), ggufType(name), [3, BLOCK]) as QuantizedMatrix
    // Zeros have signs there.
    const expected = new Float32Array(bytesOf(given.values).buffer).map((value) => value + 0)
    expect(dequantize(matrix).map((value) => value + 0)).toEqual(expected)
  })
  test('other types have no integers to move', () => {
    expect(ggufTypes.filter(hasIntegers).map(({ name }) => name)).toEqual(['Q4_0', 'Q4_1', 'Q5_0', 'Q8_0'])
  })
  test('Q4_1 whose minimum is no multiple of its scale has no zero points', () => {
    const bytes = bytesOf((cases.Q4_1 as { bytes: string }).bytes)
    expect(readIntegers(bytes, ggufType('Q4_1'), [3, BLOCK])).toBeNull()
    expect(isZeroPointed(bytes)).toBe(false)
  })
  test('a zero point is found through the rounding of its product', () => {
    for (let bits = 1; bits < 0x4800; bits += 7)
      for (let zero = 0; zero < 16; zero++) {
        const minimum = float32ToFloat16Bits(-zero * float16BitsToFloat32(bits))
        const found = zeroPointOf(bits, minimum)
        expect(float32ToFloat16Bits(-found * float16BitsToFloat32(bits)) & 0x7fff).toBe(minimum & 0x7fff)
      }
    expect(zeroPointOf(0, float32ToFloat16Bits(0.5))).toBe(-1)
    expect(zeroPointOf(float32ToFloat16Bits(0.1), float32ToFloat16Bits(0.1))).toBe(-1)
    expect(zeroPointOf(float32ToFloat16Bits(0.01), float32ToFloat16Bits(-0.16))).toBe(-1)
  })
})

const held: [bits: 2 | 3 | 4 | 8, symmetric: boolean, groupSize: number, width: number, type: string][] = [
  [4, true, 32, 96, 'Q4_0'],
  [3, true, 64, 192, 'Q4_0'],
  [2, true, 96, 96, 'Q4_0'],
  [4, false, 32, 96, 'Q4_1'],
  [3, false, 128, 288, 'Q4_1'],
  [2, false, 64, 128, 'Q4_1'],
  [8, true, 128, 160, 'Q8_0'],
]

describe.each(held)('%s bits, symmetric %s, groups of %s in rows of %s', (bits, symmetric, groupSize, width, name) => {
  const matrix = matrixOf(bits, symmetric, groupSize, [5, width])
  test(`are ${name}`, () => {
    expect(integerType({ bits, symmetric, groupSize, shape: [5, width] })).toBe(ggufType(name))
    const bytes = writeIntegers(matrix, 'w')
    const values = decoded(bytes, ggufType(name))
    const own = dequantize(matrix)
    for (const [i, value] of values.entries()) {
      const group = Math.floor(i / width) * Math.ceil(width / groupSize) + Math.floor((i % width) / groupSize)
      const minimum = (matrix.zeroPoints?.[group] ?? 0) * float16BitsToFloat32(matrix.scales[group] as number)
      // Only the minimum is rounded, to 11 bits.
      const slack = symmetric ? 0 : Math.abs(minimum) * 2 ** -11 + 2 ** -25
      expect(Math.abs(value - (own[i] as number))).toBeLessThanOrEqual(slack)
    }
    const back = readIntegers(bytes, ggufType(name), [5, width]) as QuantizedMatrix
    expect(writeIntegers(back, 'w')).toEqual(bytes)
    if (symmetric) expect(dequantize(back)).toEqual(own)
  })
})

test('what no block holds is said', () => {
  const shape = [4, 96] as const
  expect(integerType({ bits: 8, symmetric: false, groupSize: 32, shape })).toMatch(/zero points/)
  expect(integerType({ bits: 4, symmetric: true, groupSize: 16, shape })).toMatch(/groups of 16/)
  expect(integerType({ bits: 4, symmetric: true, groupSize: -1, shape: [4, 40] })).toMatch(/rows of 40/)
  const huge = { ...matrixOf(4, false, 32, [1, 32]), scales: Uint16Array.of(0x7bff), zeroPoints: Uint8Array.of(9) }
  expect(() => writeIntegers(huge, 'w')).toThrow(/beyond float16/)
})
