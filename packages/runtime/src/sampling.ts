import { AwqError } from '@awq/tensor'
import { firstAbove, idsAbove, sortByLogit, topIds } from './candidates.ts'
import type { Random } from './random.ts'
import type { SamplingSettings } from './sampling-options.ts'

/**
 * The id of the largest logit, the lowest such id among equals.
 * @throws AwqError NUMERIC when a logit is NaN or +Infinity, or all are -Infinity
 */
export const greedy = (logits: Float32Array): number => {
  let best = -1
  let largest = -Infinity
  for (let id = firstAbove(logits, 0, largest); id < logits.length; id = firstAbove(logits, id + 1, largest)) {
    const x = logits[id] as number
    if (Number.isNaN(x) || x === Infinity) refuse(id, x)
    best = id
    largest = x
  }
  if (best < 0) throw new AwqError('NUMERIC', `None of the ${logits.length} logits is above -Infinity.`)
  return best
}

/** Tokens that may be drawn, with weights relative to the most probable one, whose weight is 1. */
export interface Candidates {
  readonly ids: Uint32Array
  /** exp((logit - largest logit) / temperature) */
  readonly weights: Float64Array
  /** Sum of the weights. */
  readonly total: number
}

/**
 * The candidates at temperature > 0: temperature first, then top-k, then top-p over what top-k left, then min-p. Each
 * keeps a head of the sorted tokens, so their order matters only for what top-p sums over.
 * Top-p is nucleus sampling (Holtzman et al., arXiv 1904.09751); min-p is Nguyen et al., arXiv 2407.01082.
 * @throws AwqError NUMERIC as `greedy`
 */
export const selectCandidates = (
  logits: Float32Array,
  settings: Pick<SamplingSettings, 'temperature' | 'topK' | 'topP' | 'minP'>,
): Candidates => {
  const { temperature, topK, topP, minP } = settings
  const head = topK > 0 && topK < logits.length ? topIds(logits, topK, refuse) : undefined
  if (head?.length === 0) greedy(logits)
  const largest = logits[head ? (head[0] as number) : greedy(logits)] as number
  const weight = (id: number): number => Math.exp(((logits[id] as number) - largest) / temperature)
  // exp(-745) is the smallest positive double: what is below weighs exactly nothing.
  const floor = largest + temperature * (minP > 0 ? Math.log(minP) : -745)
  // A cheap first cut on the logits; the slack leaves the border to the exact test on the weights below.
  const slack = Math.max(Math.abs(floor), Math.abs(largest)) * 1e-12 + temperature * 1e-9
  let ids: Uint32Array
  if (head) {
    ids = head
    if (topP < 1) ids = nucleus(ids, weight, topP * sum(weightsOf(ids, weight)))
  } else if (topP < 1) {
    const mass = sumOfAll(logits, weight)
    // All tokens lighter than (1 - p) of the mean weight together hold less than 1 - p of the mass, so the others hold
    // p: only they are sorted, a few thousand of a real vocabulary. Half of it, so that rounding loses no token.
    const lightest = (mass * (1 - topP)) / logits.length / 2
    const heavy = idsAbove(logits, largest + temperature * Math.log(lightest) - slack)
    ids = nucleus(sortByLogit(logits, heavy), weight, topP * mass)
  } else {
    ids = idsAbove(logits, floor - slack)
  }
  const kept = new Uint32Array(ids.length)
  const weights = new Float64Array(ids.length)
  let count = 0
  for (const id of ids) {
    const w = weight(id)
    if (w < minP || w === 0) continue
    kept[count] = id
    weights[count++] = w
  }
  const used = weights.subarray(0, count)
  return { ids: kept.subarray(0, count), weights: used, total: sum(used) }
}

/** Draws one candidate with probability weight / total, by one random number. */
export const drawFrom = ({ ids, weights, total }: Candidates, random: Random): number => {
  let rest = random.next() * total
  for (let i = 0; i < ids.length; i++) {
    rest -= weights[i] as number
    if (rest < 0) return ids[i] as number
  }
  // Only rounding of the running difference leads here.
  return ids[ids.length - 1] as number
}

const refuse = (id: number, value: number): never => {
  throw new AwqError(
    'NUMERIC',
    `The logit of token ${id} is ${value}: the model's arithmetic overflowed or its weights are damaged. Run it with accuracy 'exact', and check the weight files.`,
  )
}

/** The fewest of the sorted ids whose weights sum to `mass`. */
const nucleus = (ids: Uint32Array, weight: (id: number) => number, mass: number): Uint32Array => {
  let running = 0
  for (let i = 0; i < ids.length; i++) {
    running += weight(ids[i] as number)
    if (running >= mass) return ids.subarray(0, i + 1)
  }
  return ids
}

const weightsOf = (ids: Uint32Array, weight: (id: number) => number): Float64Array => Float64Array.from(ids, weight)

const sum = (values: Float64Array): number => {
  let total = 0
  for (let i = 0; i < values.length; i++) total += values[i] as number
  return total
}

const sumOfAll = (logits: Float32Array, weight: (id: number) => number): number => {
  let total = 0
  for (let i = 0; i < logits.length; i++) total += weight(i)
  return total
}
