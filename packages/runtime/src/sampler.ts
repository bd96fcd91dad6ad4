/**
 * The choice of tokens for one generation: what `selectCandidates` defines, at a cost of a few tenths of a millisecond for
 * a vocabulary of 128,000, with memory that is reused from token to token.
 * @module
 */
import { type BlockDraw, createBlockDraw } from './block-draw.ts'
import { idsAbove, sortByLogit } from './candidates.ts'
import { createLadder, type Ladder } from './ladder.ts'
import { createLogitChanges } from './logit-changes.ts'
import type { Random } from './random.ts'
import { type Candidates, drawFrom, greedy, selectCandidates } from './sampling.ts'
import type { SamplingSettings } from './sampling-options.ts'
import { createMask } from './token-constraint.ts'

/** Chooses the tokens of one generation. */
export interface Sampler {
  /** Tokens of the prompt, for the repetition penalty. */
  see(ids: Iterable<number>): void
  /** A token of the output, for the penalties. */
  take(id: number): void
  /**
   * The next token. At temperature 0 the largest logit (the lowest id among equals); else one of `selectCandidates`,
   * each with probability weight / total. The logits are as before afterwards.
   * @param allowed the tokens that may be chosen, a bit for each as in `TokenConstraint`; null (the default) for all
   * @throws AwqError NUMERIC for logits that are NaN or +Infinity, or all -Infinity; INVALID_ARGUMENT when none is allowed
   */
  choose(logits: Float32Array, allowed?: Uint32Array | null): number
}

/** A sampler with an empty context. */
export const createSampler = (settings: SamplingSettings, random: Random): Sampler => {
  const { temperature, topK, topP, minP } = settings
  const changes = createLogitChanges(settings)
  const mask = createMask()
  let ladder: Ladder | undefined
  let drawAll: BlockDraw | undefined

  const pick = (logits: Float32Array): number => {
    if (temperature === 0) return greedy(logits)
    // Few tokens are left: they are listed.
    if ((topK > 0 && topK < logits.length) || (topP === 1 && minP > 1e-4)) {
      return drawFrom(selectCandidates(logits, settings), random)
    }
    if (topP === 1) {
      drawAll ??= createBlockDraw()
      return drawAll(logits, settings, random)
    }
    ladder ??= createLadder()
    const largest = logits[greedy(logits)] as number
    ladder.fill(logits, largest, temperature)
    const head = headOf(logits, largest, ladder, { temperature, topP, minP })
    if (head) return drawFrom(head, random)
    const edge = edgeOf(logits, largest, ladder, { temperature, topP, minP })
    return draw(logits, largest, temperature, ladder, edge, random)
  }

  return {
    see: (ids) => changes?.see(ids),
    take: (id) => changes?.take(id),
    choose(logits, allowed = null) {
      const open = allowed ? mask(logits, allowed) : logits
      return changes ? changes.during(open, () => pick(open)) : pick(open)
    },
  }
}

/** Candidates of a peaked distribution are listed: so many at most are sorted. */
const longestHead = 512

/**
 * The candidates where top-p leaves few of them: the tokens down to the rung on which the nucleus ends, found in one pass.
 * Undefined where they are many, or where the error of the sums leaves the end open.
 */
const headOf = (
  logits: Float32Array,
  largest: number,
  ladder: Ladder,
  { temperature, topP, minP }: Pick<SamplingSettings, 'temperature' | 'topP' | 'minP'>,
): Candidates | undefined => {
  const { masses, total, error } = ladder.masses(false)
  const goal = topP * total
  const slack = 2 * error * total
  let rung = 0
  let count = 0
  for (let mass = 0; rung < ladder.used && mass < goal + slack && count <= longestHead; rung++) {
    mass += masses[rung] as number
    count += ladder.counts[rung] as number
  }
  if (count > longestHead) return undefined
  const ids = sortByLogit(logits, idsAbove(logits, largest - ((rung + 0.01) * temperature) / 256))
  const weights = new Float64Array(ids.length)
  let running = 0
  let kept = 0
  let mass = 0
  for (const id of ids) {
    const weight = Math.exp(((logits[id] as number) - largest) / temperature)
    running += weight
    if (weight >= minP) {
      weights[kept++] = weight
      mass += weight
    }
    if (running < goal - slack) continue
    if (running < goal + slack) return undefined
    return { ids: ids.subarray(0, kept), weights: weights.subarray(0, kept), total: mass }
  }
  return undefined
}

/** Where the candidates end: all tokens above a rung, and these on it. */
interface Edge {
  readonly rung: number
  readonly ids: Uint32Array
}

/** The last rung with candidates, by top-p and min-p. */
const edgeOf = (
  logits: Float32Array,
  largest: number,
  ladder: Ladder,
  { temperature, topP, minP }: Pick<SamplingSettings, 'temperature' | 'topP' | 'minP'>,
): Edge => {
  const weight = (id: number): number => Math.exp(((logits[id] as number) - largest) / temperature)
  // The hair added keeps a token of exactly the smallest weight from falling below its rung by rounding.
  const lowest = minP > 0 ? Math.floor(-Math.log(minP) * 256 + 1e-9) : ladder.rungs
  const nucleus = nucleusEdge(logits, ladder, weight, { temperature, topP, minP })
  if (nucleus.rung < lowest) return nucleus
  if (lowest >= ladder.rungs) return { rung: ladder.rungs, ids: new Uint32Array() }
  const ids = nucleus.rung === lowest ? nucleus.ids : ladder.tokens(lowest)
  return { rung: lowest, ids: ids.filter((id) => weight(id) >= minP) }
}

const nucleusEdge = (
  logits: Float32Array,
  ladder: Ladder,
  weight: (id: number) => number,
  settings: Pick<SamplingSettings, 'temperature' | 'topP' | 'minP'>,
): Edge => {
  for (const precise of [false, true]) {
    const edge = edgeWithin(logits, ladder, weight, settings.topP, precise)
    if (edge) return edge
  }
  // The border is closer to a token's end than the sums are exact: the definition decides.
  const { ids } = selectCandidates(logits, { ...settings, topK: 0, minP: 0 })
  const kept = new Set(ids)
  const last = ids[ids.length - 1] as number
  const { rung, tokens } = rungWith(ladder, last, weight(last))
  return { rung, ids: tokens.filter((id) => kept.has(id)) }
}

/** The rung that holds a token; its weight names it up to rounding. */
const rungWith = (ladder: Ladder, id: number, weight: number): { rung: number; tokens: Uint32Array } => {
  const near = Math.min(ladder.rungs - 1, Math.floor(-Math.log(weight) * 256))
  for (const rung of [near, near - 1, near + 1]) {
    if (rung < 0 || rung > ladder.rungs) continue
    const tokens = ladder.tokens(rung)
    if (tokens.includes(id)) return { rung, tokens }
  }
  return { rung: ladder.rungs, tokens: new Uint32Array() }
}

/** Where the running sum of sorted weights reaches `topP` of all, unless the error of the sums leaves it open. */
const edgeWithin = (
  logits: Float32Array,
  ladder: Ladder,
  weight: (id: number) => number,
  topP: number,
  precise: boolean,
): Edge | undefined => {
  const { masses, total, error } = ladder.masses(precise)
  const goal = topP * total
  const slack = 2 * error * total
  let running = 0
  for (let rung = 0; rung < ladder.used; rung++) {
    const mass = masses[rung] as number
    if (running + mass < goal - slack) {
      running += mass
      continue
    }
    // Tokens that weigh less than the error: nothing is to be seen at this precision.
    if (!precise && 4 * slack > (ladder.tops[rung] as number)) return undefined
    const ids = sortByLogit(logits, ladder.tokens(rung))
    for (let i = 0; i < ids.length; i++) {
      running += weight(ids[i] as number)
      if (running >= goal + slack) return { rung, ids: ids.slice(0, i + 1) }
      if (running > goal - slack) return undefined
    }
  }
  return undefined
}

/**
 * One token by rejection: a rung and a token on it are proposed with the rung's largest weight, and taken with
 * probability weight / largest weight, which is at least exp(-1/256). So the probabilities are exact.
 */
const draw = (
  logits: Float32Array,
  largest: number,
  temperature: number,
  ladder: Ladder,
  edge: Edge,
  random: Random,
): number => {
  const { counts, tops } = ladder
  const end = Math.min(edge.rung, ladder.used)
  let total = edge.ids.length * (tops[edge.rung] as number)
  for (let rung = 0; rung < end; rung++) total += (counts[rung] as number) * (tops[rung] as number)
  for (;;) {
    let rest = random.next() * total
    let rung = 0
    for (; rung < end; rung++) {
      const share = (counts[rung] as number) * (tops[rung] as number)
      if (rest < share) break
      rest -= share
    }
    if (rung === end) rung = edge.rung
    const top = tops[rung] as number
    const count = rung < edge.rung ? (counts[rung] as number) : edge.ids.length
    const n = Math.floor(rest / top)
    // Only rounding of the running difference leads to a place where there is no token.
    if (!(n < count)) continue
    const id = rung < edge.rung ? ladder.token(rung, n) : (edge.ids[n] as number)
    if (random.next() * top < Math.exp(((logits[id] as number) - largest) / temperature)) return id
  }
}
