/**
 * Drawing from all tokens of a vocabulary, with an exponential for few of them.
 * @module
 */
import type { Random } from './random.ts'
import { greedy } from './sampling.ts'
import type { SamplingSettings } from './sampling-options.ts'

/** Tokens of a block. */
const size = 64

/** Draws a token with probability weight / total; memory is reused from call to call. */
export type BlockDraw = (
  logits: Float32Array,
  settings: Pick<SamplingSettings, 'temperature' | 'minP'>,
  random: Random,
) => number

/**
 * Tokens weigh exp((logit - largest) / temperature), or nothing below `minP`. A block is proposed by a bound of what it weighs, its
 * number of tokens times the weight of its likeliest one; it is taken with probability weight / bound, else the weight is its bound
 * from then on. Proposals that were refused do not change what a taken one is, so that the probabilities are exact (adaptive
 * rejection sampling; Gilks and Wild 1992, doi 10.2307/2347565).
 * @throws AwqError NUMERIC as `greedy`
 */
export const createBlockDraw = (): BlockDraw => {
  let bounds = new Float64Array(0)
  /** 1 for blocks whose bound is their weight. */
  let weighed = new Uint8Array(0)
  return (logits, { temperature, minP }, random) => {
    const blocks = Math.ceil(logits.length / size)
    if (bounds.length !== blocks) {
      bounds = new Float64Array(blocks)
      weighed = new Uint8Array(blocks)
    }
    weighed.fill(0)
    const largest = fillPeaks(logits, bounds)
    if (!Number.isFinite(largest)) greedy(logits)
    let total = 0
    for (let block = 0; block < blocks; block++) {
      const tokens = Math.min(size, logits.length - block * size)
      const bound = tokens * Math.exp(((bounds[block] as number) - largest) / temperature)
      bounds[block] = bound
      total += bound
    }
    const weight = (id: number): number => {
      const value = Math.exp(((logits[id] as number) - largest) / temperature)
      return value < minP ? 0 : value
    }
    for (;;) {
      let rest = random.next() * total
      let block = 0
      for (; block < blocks; block++) {
        const bound = bounds[block] as number
        if (rest < bound) break
        rest -= bound
      }
      const start = block * size
      const end = Math.min(start + size, logits.length)
      let sum = 0
      for (let id = start; id < end; id++) {
        sum += weight(id)
        if (rest < sum) return id
      }
      // At the end of all there is no block: only rounding leads there.
      if (block === blocks || weighed[block]) continue
      total += sum - (bounds[block] as number)
      bounds[block] = sum
      weighed[block] = 1
    }
  }
}

/** The largest logit of each block, and of all; NaN where one of them is. */
const fillPeaks = (logits: Float32Array, peaks: Float64Array): number => {
  const { length } = logits
  let largest = Number.NEGATIVE_INFINITY
  for (let block = 0; block < peaks.length; block++) {
    const end = Math.min(block * size + size, length)
    let id = block * size
    let a = Number.NEGATIVE_INFINITY
    let b = a
    let c = a
    let d = a
    for (; id + 3 < end; id += 4) {
      a = Math.max(a, logits[id] as number)
      b = Math.max(b, logits[id + 1] as number)
      c = Math.max(c, logits[id + 2] as number)
      d = Math.max(d, logits[id + 3] as number)
    }
    for (; id < end; id++) a = Math.max(a, logits[id] as number)
    const peak = Math.max(Math.max(a, b), Math.max(c, d))
    peaks[block] = peak
    largest = Math.max(largest, peak)
  }
  return largest
}
