import { AwqError } from '@awq/tensor'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { assignChoices, leastBytes, type StorageChoice } from './plan-assign.ts'

const choice = (most: number) =>
  fc.record({ bytes: fc.integer({ min: 0, max: most }), loss: fc.double({ min: 0, max: 10, noNaN: true }) })
const unitsOf = (most: number, units: number) =>
  fc.array(fc.array(choice(most), { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: units })

const totals = (units: readonly (readonly StorageChoice[])[], chosen: readonly number[]) => {
  const picked = units.map((choices, i) => choices[chosen[i]!]!)
  return {
    bytes: picked.reduce((sum, { bytes }) => sum + bytes, 0),
    loss: picked.reduce((sum, { loss }) => sum + loss, 0),
  }
}

/** Every combination. */
const bruteForce = (units: readonly (readonly StorageChoice[])[], budget: number): number => {
  let best = Number.POSITIVE_INFINITY
  const walk = (unit: number, bytes: number, loss: number): void => {
    if (bytes > budget) return
    if (unit === units.length) best = Math.min(best, loss)
    else for (const choice of units[unit]!) walk(unit + 1, bytes + choice.bytes, loss + choice.loss)
  }
  walk(0, 0, 0)
  return best
}

describe('assignChoices', () => {
  test('is optimal where bytes are few', () => {
    fc.assert(
      fc.property(unitsOf(40, 5), fc.integer({ min: 0, max: 120 }), (units, room) => {
        const budget = leastBytes(units) + room
        const { bytes, loss } = totals(units, assignChoices(units, budget))
        expect(bytes).toBeLessThanOrEqual(budget)
        expect(loss).toBeCloseTo(bruteForce(units, budget), 9)
      }),
    )
  })

  test('stays within the budget, and a larger budget never loses more', () => {
    fc.assert(
      fc.property(
        unitsOf(1e12, 12),
        fc.double({ min: 0, max: 1.2, noNaN: true }),
        fc.double({ min: 0, max: 1.2, noNaN: true }),
        (units, one, other) => {
          const least = leastBytes(units)
          const span = units.reduce((sum, choices) => sum + Math.max(...choices.map(({ bytes }) => bytes)), 0) - least
          const budgets = [one, other].sort((a, b) => a - b).map((share) => Math.floor(least + share * span))
          const [small, large] = budgets.map((budget) => totals(units, assignChoices(units, budget)))
          expect(small!.bytes).toBeLessThanOrEqual(budgets[0]!)
          expect(large!.bytes).toBeLessThanOrEqual(budgets[1]!)
          expect(large!.loss).toBeLessThanOrEqual(small!.loss + 1e-9)
        },
      ),
      { numRuns: 30 },
    )
  })

  test('with room for everything takes the least loss of each, in the fewest bytes', () => {
    const units = [
      [
        { bytes: 10, loss: 1 },
        { bytes: 20, loss: 0.5 },
        { bytes: 30, loss: 0.5 },
      ],
    ]
    expect(assignChoices(units, 1000)).toEqual([1])
  })

  test('says the least possible size of an impossible budget', () => {
    const units = [[{ bytes: 10, loss: 1 }], [{ bytes: 7, loss: 1 }]]
    expect(() => assignChoices(units, 16)).toThrow(/least possible is 17/)
    expect(assignChoices(units, 17)).toEqual([0, 0])
    expect(() => assignChoices([[{ bytes: 1, loss: Number.NaN }]], 5)).toThrow(AwqError)
  })
})
