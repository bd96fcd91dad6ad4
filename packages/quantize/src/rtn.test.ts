import { AwqError, dequantize, float16BitsToFloat32, float32ToFloat16Bits } from '@awq/tensor'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { quantizationGrid } from './grid.ts'
import { groupRanges } from './ranges.ts'
import { roundRtn } from './rtn.ts'
import { groupsPerRow, type QuantSpec } from './spec.ts'

const spec = (bits: QuantSpec['bits'], groupSize: number, symmetric = false): QuantSpec => ({
  bits,
  groupSize,
  symmetric,
})

const cases = fc
  .record({
    bits: fc.constantFrom(2, 3, 4, 8) as fc.Arbitrary<QuantSpec['bits']>,
    groupSize: fc.constantFrom(-1, 16, 32, 64, 128, 256),
    symmetric: fc.boolean(),
    out: fc.integer({ min: 1, max: 5 }),
    inputs: fc.integer({ min: 1, max: 300 }),
    magnitude: fc.constantFrom(1e-9, 1e-4, 0.05, 1, 1000),
    offset: fc.constantFrom(-1, 0, 0.3, 2),
    seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  })
  .map(({ bits, groupSize, symmetric, out, inputs, magnitude, offset, seed }) => {
    let state = seed
    const weight = Float32Array.from({ length: out * inputs }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) | 0
      return (state / 2 ** 31 + offset) * magnitude
    })
    return { weight, shape: [out, inputs] as const, spec: spec(bits, groupSize, symmetric) }
  })

describe('group ranges', () => {
  test('include zero and take the shorter last group', () => {
    const weight = Float32Array.from({ length: 20 }, (_, index) => (index < 16 ? 1 + index : -index))
    const { low, high } = groupRanges(weight, [1, 20], spec(4, 16))
    expect([...low]).toEqual([0, -19])
    expect([...high]).toEqual([16, 0])
  })

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('refuse %f and say where', (value) => {
    const weight = new Float32Array(3 * 40).fill(0.1)
    weight[40 + 37] = value
    const run = () => groupRanges(weight, [3, 40], spec(4, 16), { name: 'model.q.weight' })
    expect(run).toThrow(AwqError)
    expect(run).toThrow(/model\.q\.weight: the weight at row 1, column 37 is/)
  })

  test('refuse shapes and specs that do not fit', () => {
    const weight = new Float32Array(12)
    expect(() => groupRanges(weight, [3, 5], spec(4, 16))).toThrow(/12 values do not fill the shape \[3, 5\]/)
    expect(() => groupRanges(weight, [0, 5], spec(4, 16))).toThrow(/positive/)
    expect(() => groupRanges(weight, [3, 4], spec(4, 24))).toThrow(/group size/)
    expect(() => groupRanges(weight, [3, 4], spec(5 as 4, 16))).toThrow(/bits/)
  })
})

describe('quantization grid', () => {
  const ranges = (low: number, high: number) => ({ low: Float32Array.of(low), high: Float32Array.of(high) })

  test('asymmetric: scale (high - low) / 15, zero where low falls', () => {
    const grid = quantizationGrid(ranges(-2, 5.5), spec(4, 16))
    expect(float16BitsToFloat32(grid.scales[0] as number)).toBe(0.5)
    expect([...(grid.zeroPoints as Uint8Array)]).toEqual([4])
  })

  test('symmetric: 2 max|w| / 15, no zero points', () => {
    const grid = quantizationGrid(ranges(-7.5, 3), spec(4, 16, true))
    expect(float16BitsToFloat32(grid.scales[0] as number)).toBe(1)
    expect(grid.zeroPoints).toBeNull()
  })

  test('zero points round half to even', () => {
    // scale 1, -low = 2.5 and 3.5
    expect(quantizationGrid(ranges(-2.5, 12.5), spec(4, 16)).zeroPoints?.[0]).toBe(2)
    expect(quantizationGrid(ranges(-3.5, 11.5), spec(4, 16)).zeroPoints?.[0]).toBe(4)
  })

  test('an empty range has scale 1 and zero 0; one too small for float16 the smallest scale', () => {
    const empty = quantizationGrid(ranges(0, 0), spec(4, 16))
    expect(empty.scales[0]).toBe(0x3c00)
    expect(empty.zeroPoints?.[0]).toBe(0)
    expect(quantizationGrid(ranges(-1e-9, 1e-9), spec(4, 16)).scales[0]).toBe(1)
    expect(quantizationGrid(ranges(0, 1e-40), spec(4, 16)).scales[0]).toBe(1)
  })

  test('a scale past float16 is an error, not infinity', () => {
    const run = () => quantizationGrid(ranges(-1e6, 1e6), spec(4, 16), { name: 'down' })
    expect(run).toThrow(/down: group 0 needs the scale 1\.333e\+5/)
    expect(() => quantizationGrid(ranges(0, 65519 * 15), spec(4, 16))).not.toThrow()
    expect(() => quantizationGrid(ranges(0, 3.4e38), spec(4, 16))).toThrow(/float16/)
    expect(() => quantizationGrid(ranges(-3e38, 3e38), spec(4, 16))).toThrow(/float16/)
  })

  test('ranges without zero are refused', () => {
    expect(() => quantizationGrid(ranges(1, 2), spec(4, 16))).toThrow(/must include zero/)
    expect(() => quantizationGrid(ranges(Number.NaN, 2), spec(4, 16))).toThrow(/must include zero/)
  })
})

describe('round to nearest', () => {
  test('rounds halves to even before the zero point is added', () => {
    const weight = new Float32Array(16)
    weight.set([-3, 12, 0.5, 1.5, 2.5, -0.5, -1.5])
    const { codes, zeroPoints } = roundRtn(weight, [1, 16], spec(4, 16))
    expect(zeroPoints?.[0]).toBe(3)
    expect([...codes.subarray(0, 7)]).toEqual([0, 15, 3, 5, 5, 3, 1])
  })

  test('weights outside clipped ranges take the ends', () => {
    const weight = new Float32Array(16)
    weight.set([-100, 100, 1e30, -1e30])
    const ranges = { low: Float32Array.of(-1), high: Float32Array.of(14) }
    const { codes } = roundRtn(weight, [1, 16], spec(4, 16), ranges)
    expect([...codes.subarray(0, 5)]).toEqual([0, 15, 15, 0, 1])
    expect(() => roundRtn(weight, [2, 8], spec(4, 16), ranges)).toThrow(/has 2 groups, but the ranges have 1/)
  })

  test('an all-zero matrix gives back zeros', () => {
    for (const symmetric of [false, true]) {
      const matrix = roundRtn(new Float32Array(40), [2, 20], spec(3, 16, symmetric))
      expect(new Set(dequantize(matrix))).toEqual(new Set([0]))
      expect(new Set(matrix.scales)).toEqual(new Set([0x3c00]))
    }
  })

  test('every weight lands within half a step, up to what float16 scales and zero points lose', () => {
    fc.assert(
      fc.property(cases, ({ weight, shape, spec: how }) => {
        const matrix = roundRtn(weight, shape, how)
        const values = dequantize(matrix)
        const groups = groupsPerRow(how.groupSize, shape[1])
        for (let index = 0; index < weight.length; index++) {
          const row = Math.floor(index / shape[1])
          const group = row * groups + Math.floor((index % shape[1]) / matrix.groupSize)
          const scale = float16BitsToFloat32(matrix.scales[group] as number)
          // float16 scales lose 2^-11 of the range, or half the smallest step when subnormal
          const lost = (2 ** how.bits - 1) * Math.max(scale * 2 ** -11, 2 ** -25)
          const error = Math.abs((values[index] as number) - (weight[index] as number))
          expect(error).toBeLessThanOrEqual(scale * (how.symmetric ? 0.5 : 1) * (1 + 1e-5) + lost)
        }
      }),
      { numRuns: 150 },
    )
  })

  test('codes are what the formula gives element by element', () => {
    fc.assert(
      fc.property(cases, ({ weight, shape: [out, inputs], spec: how }) => {
        const matrix = roundRtn(weight, [out, inputs], how)
        const size = how.groupSize === -1 ? inputs : how.groupSize
        const steps = 2 ** how.bits - 1
        const nearest = (value: number) => {
          const floor = Math.floor(value)
          if (value - floor !== 0.5) return Math.round(value)
          return floor % 2 === 0 ? floor : floor + 1
        }
        let group = 0
        for (let row = 0; row < out; row++) {
          for (let start = 0; start < inputs; start += size, group++) {
            const values = [...weight.subarray(row * inputs + start, row * inputs + Math.min(start + size, inputs))]
            const low = Math.min(0, ...values)
            const high = Math.max(0, ...values)
            const range = how.symmetric ? 2 * Math.max(-low, high) : Math.fround(high - low)
            const bits = range === 0 ? 0x3c00 : float32ToFloat16Bits(Math.fround(range / steps)) || 1
            const scale = float16BitsToFloat32(bits)
            const zero = how.symmetric ? (steps + 1) / 2 : Math.min(steps, nearest(Math.fround((0 - low) / scale)))
            expect(matrix.scales[group]).toBe(bits)
            expect(matrix.zeroPoints?.[group] ?? zero).toBe(zero)
            const codes = values.map((value) =>
              Math.min(steps, Math.max(0, nearest(Math.fround(value / scale)) + zero)),
            )
            expect([...matrix.codes.subarray(row * inputs + start, row * inputs + start + codes.length)]).toEqual(codes)
          }
        }
      }),
      { numRuns: 150 },
    )
  })
})
