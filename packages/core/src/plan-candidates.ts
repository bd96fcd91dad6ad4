/**
 * The plans worth measuring as a whole.
 * @module
 */
import type { QuantSpec } from '@awq/quantize'
import { assignChoices, leastBytes, type StorageChoice } from './plan-assign.ts'

/** A choice for every unit, and what it is called. */
export interface CandidatePlan {
  readonly name: string
  readonly chosen: readonly number[]
}

/** What few bits are taken to cost, as a multiple of what was measured for a matrix alone, in the cautious plan. */
const CAUTION = 3
/**
 * A plan whose losses sum up to more than so many times the least sum is not measured. Together, losses come to between
 * one and two and a half times their sum.
 */
const HOPELESS = 3
/** Below, losses grow fast and no longer add up. */
const FEW_BITS = 4

/**
 * Different plans within a budget. Losses measured one at a time do not add up, and a choice among hundreds of them
 * favours those that were measured too small; most of all where few bits are chosen, whose losses are large. So beside the
 * plan of the least sum there are: one that takes fewer than 4 bits for three times as bad; where the budget allows it, one
 * without them; and the best that stores all linears alike.
 * @param units choices of the sites, in the order of `linears`, then those of the tables
 * @param sites how many of the units are sites
 */
export const candidatePlans = (
  units: readonly (readonly StorageChoice[])[],
  linears: readonly QuantSpec[],
  sites: number,
  budget: number,
): CandidatePlan[] => {
  const assign = (
    allowed: (spec: QuantSpec) => boolean,
    factor: (spec: QuantSpec) => number = () => 1,
  ): number[] | undefined => {
    const places = units.map((choices, unit) =>
      [...choices.keys()].filter((choice) => unit >= sites || allowed(linears[choice]!)),
    )
    const kept = places.map((own, unit) =>
      own.map((choice): StorageChoice => {
        const { bytes, loss } = units[unit]![choice]!
        return { bytes, loss: unit < sites ? loss * factor(linears[choice]!) : loss }
      }),
    )
    if (!(leastBytes(kept) <= budget)) return undefined
    return assignChoices(kept, budget).map((choice, unit) => places[unit]![choice]!)
  }
  const lossOf = (chosen: readonly number[]) =>
    chosen.reduce((sum, choice, unit) => sum + units[unit]![choice]!.loss, 0)
  const even = linears
    .map((spec) => ({ name: `all in ${spec.bits} bits, group ${spec.groupSize}`, chosen: assign((s) => s === spec) }))
    .flatMap(({ name, chosen }) => (chosen ? [{ name, chosen }] : []))
    .sort((one, other) => lossOf(one.chosen) - lossOf(other.chosen))
  const proposed = [
    { name: 'least sum', chosen: assign(() => true) },
    {
      name: 'few bits thrice',
      chosen: assign(
        () => true,
        ({ bits }) => (bits < FEW_BITS ? CAUTION : 1),
      ),
    },
    { name: `${FEW_BITS} bits or more`, chosen: assign(({ bits }) => bits >= FEW_BITS) },
    ...even.slice(0, 1),
  ]
  const candidates = new Map<string, CandidatePlan>()
  const least = proposed[0]!.chosen
  for (const { name, chosen } of proposed) {
    const key = chosen?.join()
    if (!chosen || !least || key === undefined || candidates.has(key)) continue
    if (lossOf(chosen) <= HOPELESS * lossOf(least)) candidates.set(key, { name, chosen })
  }
  return [...candidates.values()]
}
