/**
 * A histogram of logits by their distance from the largest: what sampling needs of a vocabulary of 100,000 and more, in
 * one pass without an exponential per token.
 * @module
 */
import { firstAbove } from './candidates.ts'

/** Rungs per unit of (largest - logit) / temperature. */
const density = 256
/** exp(-48) = 1.4e-21: tokens below the last rung weigh nothing, even 200,000 of them. */
const rungs = 48 * density
/** exp(-rung / density): the largest weight that a token on a rung can have. The one past the end holds no weight. */
const tops = Float64Array.from({ length: rungs + 1 }, (_, rung) => (rung < rungs ? Math.exp(-rung / density) : 0))

/** Logits sorted into rungs; a token of weight w = exp((logit - largest) / temperature) is on rung floor(-256 ln w). */
export interface Ladder {
  readonly rungs: number
  /** Rungs from the first to the last that holds a token of any weight. */
  readonly used: number
  /** Counts the tokens on each rung. All logits are numbers below +Infinity, none above `largest`. */
  fill(logits: Float32Array, largest: number, temperature: number): void
  /** Tokens on each rung. */
  readonly counts: Int32Array
  /** The largest weight that a token on each rung can have; the smallest is that of the next rung. */
  readonly tops: Float64Array
  /** The n-th token (from 0, in the order of ids) on a rung. */
  token(rung: number, n: number): number
  /** All tokens on a rung, in the order of ids. */
  tokens(rung: number): Uint32Array
  /**
   * Sums of the weights on each rung, to within `error` of their total: from the mean distance of a rung's tokens
   * (for free), or with `precise` by a polynomial for each token. The array is overwritten by the next call.
   */
  masses(precise: boolean): { readonly masses: Float64Array; readonly total: number; readonly error: number }
}

/** An empty ladder. Its memory (some 300 KB) is reused by every `fill`. */
export const createLadder = (): Ladder => {
  const counts = new Int32Array(rungs + 1)
  const distances = new Float64Array(rungs + 1)
  const last = new Int32Array(rungs + 1)
  const masses = new Float64Array(rungs + 1)
  let logits: Float32Array = new Float32Array(0)
  let largest = 0
  let scale = 1
  let used = 0

  /** Calls `found` with the tokens on a rung in the order of ids, until it returns true. */
  const find = (rung: number, found: (id: number) => boolean): void => {
    // Most tokens are passed by at the cost of a comparison; the range is wider than the rung, the rung itself decides.
    const slack = 0.01 / scale + Math.abs(largest) * 1e-12
    const high = largest - rung / scale + slack
    const low = rung < rungs ? largest - (rung + 1) / scale - slack : -Infinity
    for (let id = firstAbove(logits, 0, low); id < logits.length; id = firstAbove(logits, id + 1, low)) {
      const logit = logits[id] as number
      if (logit > high) continue
      const distance = Math.min((largest - logit) * scale, rungs)
      if ((distance | 0) === rung && found(id)) return
    }
  }

  return {
    rungs,
    counts,
    tops,
    get used() {
      return used
    },
    fill(values, top, temperature) {
      logits = values
      largest = top
      // Finite, so that the largest logit is at distance 0 at the smallest temperature too.
      scale = Math.min(density / temperature, Number.MAX_VALUE)
      counts.fill(0)
      distances.fill(0)
      const factor = scale
      for (let id = 0; id < values.length; id++) {
        const distance = Math.min((top - (values[id] as number)) * factor, rungs)
        const rung = distance | 0
        counts[rung] = (counts[rung] as number) + 1
        distances[rung] = (distances[rung] as number) + distance
        last[rung] = id
      }
      used = rungs
      while (used > 0 && counts[used - 1] === 0) used--
    },
    token(rung, n) {
      let id = last[rung] as number
      let left = n
      if (counts[rung] !== 1) {
        find(rung, (next) => {
          id = next
          return left-- === 0
        })
      }
      return id
    },
    tokens(rung) {
      const ids = new Uint32Array(counts[rung] as number)
      if (ids.length === 1) ids[0] = last[rung] as number
      let at = 0
      if (ids.length > 1) {
        find(rung, (id) => {
          ids[at++] = id
          return at === ids.length
        })
      }
      return ids
    },
    masses(precise) {
      if (precise) sumPrecisely(logits, largest, scale, masses)
      let total = 0
      for (let rung = 0; rung < used; rung++) {
        const count = counts[rung] as number
        let sum = 0
        if (count > 0) {
          // By Jensen's inequality the weight at the mean distance is at most the mean weight, and at least that less
          // the share 1 / (8 * 256^2), the largest variance on a rung being 1/4.
          sum = precise ? (masses[rung] as number) : count * decay((distances[rung] as number) / count - rung)
        }
        const mass = sum * (tops[rung] as number)
        masses[rung] = mass
        total += mass
      }
      return { masses, total, error: precise ? 1e-10 : 2e-6 }
    },
  }
}

/** exp(-part / 256) for part in [0, 1], to 1e-11. */
const decay = (part: number): number => {
  const x = -part / density
  return 1 + x * (1 + x * (0.5 + x * (1 / 6)))
}

/** Sums exp(-part / 256) over the tokens of each rung, part being the fraction of their distance. */
const sumPrecisely = (logits: Float32Array, largest: number, scale: number, sums: Float64Array): void => {
  sums.fill(0)
  for (let id = 0; id < logits.length; id++) {
    const distance = Math.min((largest - (logits[id] as number)) * scale, rungs)
    const rung = distance | 0
    const x = (rung - distance) * (1 / density)
    sums[rung] = (sums[rung] as number) + 1 + x * (1 + x * (0.5 + x * (1 / 6)))
  }
}
