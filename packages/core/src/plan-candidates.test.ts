import type { QuantSpec } from '@awq/quantize'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { leastBytes, type StorageChoice } from './plan-assign.ts'
import { candidatePlans } from './plan-candidates.ts'

const spec = (bits: QuantSpec['bits'], groupSize = 64): QuantSpec => ({ bits, groupSize, symmetric: false })
const linears = [spec(2), spec(4), spec(8)]
const unit = (...choices: [bytes: number, loss: number][]): StorageChoice[] =>
  choices.map(([bytes, loss]) => ({ bytes, loss }))

describe('candidatePlans', () => {
  test('beside the least sum: few bits for thrice as bad, none of them, all alike', () => {
    // 2 bits in the first site pay for 8 in the second, until they count thrice; 4 bits fit everywhere.
    const units = [unit([20, 0.3], [40, 0.1], [80, 0]), unit([20, 9], [40, 0.5], [60, 0.1]), unit([10, 0.2], [20, 0])]
    expect(candidatePlans(units, linears, 2, 100)).toEqual([
      { name: 'least sum', chosen: [0, 2, 1] },
      { name: 'few bits thrice', chosen: [1, 1, 1] },
    ])
    const cheap = [unit([20, 0.11], [40, 0.1], [80, 0]), ...units.slice(1)]
    expect(candidatePlans(cheap, linears, 2, 100)).toEqual([
      { name: 'least sum', chosen: [0, 2, 1] },
      { name: '4 bits or more', chosen: [1, 1, 1] },
    ])
    expect(candidatePlans(cheap, linears, 2, 120)).toEqual([
      { name: 'least sum', chosen: [1, 2, 1] },
      { name: 'all in 4 bits, group 64', chosen: [1, 1, 1] },
    ])
  })

  test('where 4 bits do not fit, none has them everywhere', () => {
    const units = [unit([20, 0.3], [40, 0.1], [80, 0]), unit([20, 0.4], [40, 0.2], [80, 0])]
    const candidates = candidatePlans(units, linears, 2, 70)
    expect(candidates.map(({ name }) => name)).not.toContain('4 bits or more')
    expect(candidates).toContainEqual({ name: 'all in 2 bits, group 64', chosen: [0, 0] })
    // Nor is measured what loses several times as much.
    const far = [unit([20, 3], [40, 0.1], [80, 0]), unit([20, 0.4], [40, 0.2], [80, 0])]
    expect(candidatePlans(far, linears, 2, 70).map(({ name }) => name)).toEqual(['least sum'])
  })

  test('all are within the budget, each once, and none has a lesser sum than the first', () => {
    const choice = fc.tuple(fc.integer({ min: 0, max: 50 }), fc.double({ min: 0, max: 9, noNaN: true }))
    const site = fc.tuple(choice, choice, choice)
    fc.assert(
      fc.property(fc.array(site, { minLength: 1, maxLength: 6 }), site, fc.nat(100), (sites, table, room) => {
        const units = [...sites, table].map((choices) => unit(...choices))
        const budget = leastBytes(units) + room
        const candidates = candidatePlans(units, linears, sites.length, budget)
        const sums = candidates.map(({ chosen }) => {
          const picked = chosen.map((place, i) => units[i]![place]!)
          expect(picked.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(budget)
          return picked.reduce((sum, { loss }) => sum + loss, 0)
        })
        for (const sum of sums) expect(sum).toBeGreaterThanOrEqual(sums[0]! - 1e-9)
        expect(new Set(candidates.map(({ chosen }) => chosen.join())).size).toBe(candidates.length)
      }),
    )
  })
})
