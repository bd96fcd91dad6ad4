/**
 * The choice of one storage for every matrix under a budget of bytes: a multiple-choice knapsack.
 * @module
 */
import { AwqError } from '@awq/tensor'

/** One way to store a thing. */
export interface StorageChoice {
  readonly bytes: number
  /** What it costs in quality; losses of different things add up. */
  readonly loss: number
}

/** Distinct totals told apart; beyond, bytes are rounded up to coarser steps of at most 1/65536 of the range. */
const STEPS = 2 ** 16

const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b))

/** A choice that no other of its unit beats in both bytes and loss, with its place in the unit and its extra steps. */
interface Candidate {
  readonly index: number
  readonly extra: number
  readonly loss: number
}

const undominated = (choices: readonly StorageChoice[]): { index: number; bytes: number; loss: number }[] => {
  const kept: { index: number; bytes: number; loss: number }[] = []
  const sorted = choices
    .map(({ bytes, loss }, index) => ({ index, bytes, loss }))
    .sort((a, b) => a.bytes - b.bytes || a.loss - b.loss)
  for (const choice of sorted) if (kept.length === 0 || choice.loss < kept[kept.length - 1]!.loss) kept.push(choice)
  return kept
}

/** The fewest bytes that the units can have together. */
export const leastBytes = (units: readonly (readonly StorageChoice[])[]): number =>
  units.reduce((sum, choices) => sum + Math.min(...choices.map(({ bytes }) => bytes)), 0)

/**
 * For every unit the index of one of its choices, so that the sum of bytes is at most `budget` and the sum of losses is
 * least. Dynamic programming over the bytes beyond the least possible; exact while all differences of bytes are multiples
 * of a common step and span at most 65536 of them, else within a part in 65536 of the span for each unit. A larger budget
 * never gives a larger loss.
 * @throws AwqError `INVALID_ARGUMENT` when the least possible bytes exceed the budget, or a choice is no number
 */
export const assignChoices = (units: readonly (readonly StorageChoice[])[], budget: number): number[] => {
  for (const { bytes, loss } of units.flat())
    if (!Number.isSafeInteger(bytes) || bytes < 0 || !Number.isFinite(loss))
      throw new AwqError('INVALID_ARGUMENT', `a choice of ${bytes} bytes and a loss of ${loss} can not be compared`)
  const least = leastBytes(units)
  if (!(budget >= least))
    throw new AwqError('INVALID_ARGUMENT', `a budget of ${budget} bytes; the least possible is ${least}`)
  const kept = units.map(undominated)
  const extras = kept.map((choices) => choices.map(({ bytes }) => bytes - choices[0]!.bytes))
  const span = extras.reduce((sum, unit) => sum + unit[unit.length - 1]!, 0)
  const common = extras.flat().reduce(divisor, 0)
  const step = Math.max(1, common, Math.ceil(span / STEPS / Math.max(1, common)) * common)
  const candidates = kept.map((choices, unit) =>
    choices.map(({ index, loss }, i): Candidate => ({ index, loss, extra: Math.ceil(extras[unit]![i]! / step) })),
  )
  const most = candidates.reduce((sum, unit) => sum + unit[unit.length - 1]!.extra, 0)
  const capacity = Math.min(most, Math.floor((budget - least) / step))
  // best[c]: the least loss of the units so far within c steps; picks[unit][c]: the choice of the last of them.
  let best = new Float64Array(capacity + 1)
  const picks = candidates.map((choices) => {
    const next = new Float64Array(capacity + 1).fill(Number.POSITIVE_INFINITY)
    const pick = new Uint16Array(capacity + 1)
    for (const [place, { extra, loss }] of choices.entries())
      for (let c = extra; c <= capacity; c++) {
        const total = best[c - extra]! + loss
        if (total < next[c]!) {
          next[c] = total
          pick[c] = place
        }
      }
    best = next
    return pick
  })
  const chosen: number[] = []
  let left = capacity
  for (let unit = candidates.length - 1; unit >= 0; unit--) {
    const candidate = candidates[unit]![picks[unit]![left]!]!
    chosen[unit] = candidate.index
    left -= candidate.extra
  }
  return chosen
}
