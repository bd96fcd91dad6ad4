import { describe, expect, it } from 'vitest'
import { ALPHAS, alphaScale, sharedMagnitude } from './candidate-scales.ts'
import { ownRows } from './fixtures/data.ts'

describe('sharedMagnitude', () => {
  it('averages over the columns of one producer row', () => {
    const shared = sharedMagnitude(Float32Array.of(1, 2, 3, 6), Int32Array.of(0, 1, 0, 1))
    expect([...shared]).toEqual([2, 4, 2, 4])
  })

  it('counts a dead channel as the least active live one', () => {
    expect([...sharedMagnitude(Float32Array.of(0, 5, 2, 0), ownRows(4))]).toEqual([2, 5, 2, 2])
    expect([...sharedMagnitude(new Float32Array(3), ownRows(3))]).toEqual([1, 1, 1])
  })

  it.each([Number.NaN, -1, Number.POSITIVE_INFINITY])('refuses a magnitude of %d by its channel', (value) => {
    expect(() => sharedMagnitude(Float32Array.of(1, value), ownRows(2))).toThrow(/channel 1/)
  })

  it('refuses rows that do not match the width', () => {
    expect(() => sharedMagnitude(new Float32Array(3), ownRows(2))).toThrow(/2 entries for a width of 3/)
  })
})

describe('alphaScale', () => {
  it('is the published formula', () => {
    expect([...alphaScale(Float32Array.of(1, 4, 16), 0.5)]).toEqual([0.5, 1, 2])
    // Bounded by 1e-4 before it is normalised by sqrt(1 * 1e-4).
    const bounded = alphaScale(Float32Array.of(1e-6, 1), 1)
    expect(bounded[0]).toBeCloseTo(0.01, 7)
    expect(bounded[1]).toBeCloseTo(100, 4)
  })

  it('gives exact ones for alpha 0', () => {
    expect([...alphaScale(Float32Array.of(0.1, 3, 700), 0)]).toEqual([1, 1, 1])
  })
})

it('tries 21 exponents from 0 to 1', () => {
  expect(ALPHAS.length).toBe(21)
  expect(ALPHAS[0]).toBe(0)
  expect(ALPHAS[20]).toBe(1)
})
