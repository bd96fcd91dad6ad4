import { describe, expect, it } from 'vitest'
import { fitLine } from './linear-fit.ts'

describe('fitLine', () => {
  it('finds the line that points lie on', () => {
    const fit = fitLine([2, 5, 11].map((x) => ({ x, y: 3 + 0.5 * x })))
    expect(fit.slope).toBeCloseTo(0.5, 12)
    expect(fit.intercept).toBeCloseTo(3, 12)
    expect(fit.worst).toBeLessThan(1e-12)
  })
  it('tells how far a point lies off, as a share of it', () => {
    // The line is y = 3 in the middle of 2, 5 and 2: slope 0.
    const fit = fitLine([2, 5, 2].map((y, x) => ({ x, y })))
    expect(fit.slope).toBeCloseTo(0, 12)
    expect(fit.intercept).toBeCloseTo(3, 12)
    expect(fit.worst).toBeCloseTo(0.5, 12)
  })
  it('sees a quadratic curve', () => {
    expect(fitLine([1, 2, 3, 4, 5].map((x) => ({ x, y: x * x }))).worst).toBeGreaterThan(0.1)
  })
  it('refuses points above each other', () => {
    expect(() => fitLine([{ x: 1, y: 2 }])).toThrow('two different')
  })
})
