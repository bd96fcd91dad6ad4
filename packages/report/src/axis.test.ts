import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { layerAxis, linearAxis, logAxis, roundValues } from './axis.ts'

describe('axes', () => {
  test('round values are multiples of 1, 2 or 5 within the ends', () => {
    expect(roundValues(0, 1, 4)).toEqual([0, 0.5, 1])
    expect(roundValues(0, 29, 6)).toEqual([0, 5, 10, 15, 20, 25])
    expect(roundValues(3, 3, 4)).toEqual([3])
  })

  test('a linear axis places its ends at 0 and 1, and nothing outside', () => {
    const { at } = linearAxis(2, 6, String)
    expect([2, 4, 6, 9, -1].map(at)).toEqual([0, 0.5, 1, 1, 0])
  })

  test('layers lie in the middles of equal places', () => {
    expect([0, 1, 2, 3].map(layerAxis(4).at)).toEqual([0.125, 0.375, 0.625, 0.875])
    expect(layerAxis(0).at(0)).toBe(0.5)
    expect(layerAxis(2).ticks.map(({ value }) => value)).toEqual([0, 1])
  })

  test('a logarithmic axis keeps ratios, order and 2 to 12 labels', () => {
    const positive = fc.double({ min: 1e-6, max: 1e6, noNaN: true })
    fc.assert(
      fc.property(fc.array(positive, { minLength: 2, maxLength: 20 }), (values) => {
        const { at, ticks } = logAxis(values, String)
        const sorted = [...values].sort((a, b) => a - b)
        for (const [index, value] of sorted.entries()) {
          expect(at(value)).toBeGreaterThanOrEqual(0)
          expect(at(value)).toBeLessThanOrEqual(1)
          if (index > 0) expect(at(value)).toBeGreaterThanOrEqual(at(sorted[index - 1]!))
        }
        expect(ticks.length).toBeLessThanOrEqual(13)
      }),
    )
    const { at } = logAxis([1, 100], String)
    expect(at(10)).toBeCloseTo(0.5, 6)
  })

  test('a logarithmic axis without positive values has no labels, and a few far below the others lie at its foot', () => {
    expect(logAxis([0, -1, Number.NaN, Number.POSITIVE_INFINITY], String).ticks).toEqual([])
    const values = [1e-9, ...new Array(99).fill(1)]
    const { at } = logAxis(values, String)
    expect(at(1e-9)).toBe(0)
    expect(at(1)).toBeGreaterThan(0.5)
  })
})
