/**
 * The salient pass: chooses the input channels whose weights stay float.
 * @module
 */
import { type LinearSpec, linearsBySite } from '@awq/models'
import { AwqError } from '@awq/tensor'
import { type BlockState, type Pass, statsOf, weightOf } from './block-state.ts'
import type { Method } from './methods.ts'
import { salientCount } from './salient.ts'

/** What channels are chosen by. */
export type SalientBy = 'activation' | 'weight' | 'random'

/** Which channels stay float. */
export interface SalientOptions {
  /** Share of each linear's input channels, 0..1: ceil(fraction * in), so at least one; 0 keeps none. */
  readonly fraction: number
  /**
   * `activation` (the default): the largest mean |x|; `weight`: the largest mean |w|, over all linears that read the
   * same input; `random`: any.
   */
  readonly by?: SalientBy | undefined
  /** Of the random choice; default 0. */
  readonly seed?: number | undefined
}

/** The names of `SalientBy`. */
export const SALIENT_BY: readonly SalientBy[] = ['activation', 'weight', 'random']

/** Integers 0..2^32-1 that look random: the finisher of MurmurHash3 (Appleby, public domain) over a sum of its inputs. */
const hash = (...parts: readonly number[]): number => {
  let state = 0
  for (const part of parts) {
    state = (Math.imul(state ^ part, 0x9e3779b1) + 0x7f4a7c15) | 0
    state = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
    state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35)
    state ^= state >>> 16
  }
  return state >>> 0
}

/** Mean |w| of every input channel over the linears' rows, times the number of rows, which is the same for all channels. */
const columnMagnitudes = (block: BlockState, linears: readonly LinearSpec[], width: number): Float64Array => {
  const sums = new Float64Array(width)
  for (const { name } of linears) {
    const weight = weightOf(block, name)
    for (let start = 0; start < weight.length; start += width)
      for (let column = 0; column < width; column++) sums[column]! += Math.abs(weight[start + column]!)
  }
  return sums
}

/** The `count` channels of the highest score, ascending; of equal scores the first. */
const highest = (scores: ArrayLike<number>, count: number): Int32Array =>
  Int32Array.from({ length: scores.length }, (_, channel) => channel)
    .sort((one, other) => scores[other]! - scores[one]! || one - other)
    .slice(0, count)
    .sort()

const checked = ({ fraction, by = 'activation', seed = 0 }: SalientOptions) => {
  if (!(fraction >= 0 && fraction <= 1))
    throw new AwqError('INVALID_ARGUMENT', `a share of salient channels must be between 0 and 1, not ${fraction}`)
  if (!SALIENT_BY.includes(by))
    throw new AwqError('INVALID_ARGUMENT', `salient channels are chosen by ${SALIENT_BY.join(', ')}, not "${by}"`)
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new AwqError('INVALID_ARGUMENT', `a seed must be an integer from 0 on, not ${seed}`)
  return { fraction, by, seed }
}

/**
 * Fills `block.salient`: of every site the channels that stay float (arXiv 2306.00978, section 3.1 and table 1), on the
 * block as it stands. The passes behind it leave these channels out of group ranges, losses and rounding.
 *
 * Stands in the methods that `keepSalient` makes, which also announce the columns to the store.
 * @throws AwqError `INVALID_ARGUMENT` for options out of range; when run, by activation, for a method without statistics
 */
export const salientPass = (options: SalientOptions): Pass => {
  const { fraction, by, seed } = checked(options)
  return {
    name: 'salient',
    options: by === 'random' ? { fraction, by, seed } : { fraction, by },
    async run(block) {
      for (const [index, [site, linears]] of [...linearsBySite(block.linears)].entries()) {
        const width = linears[0]!.shape[1]
        const count = salientCount(fraction, width)
        if (count === 0) continue
        const scores = {
          activation: () => statsOf(block, site).meanAbs,
          weight: () => columnMagnitudes(block, linears, width),
          random: () => Float64Array.from({ length: width }, (_, channel) => hash(seed, block.layer, index, channel)),
        }
        block.salient.set(site, highest(scores[by](), count))
      }
    },
  }
}

/**
 * A method that keeps some input channels in float16 and does what it did with the others.
 * @throws AwqError `INVALID_ARGUMENT` for options out of range
 */
export const keepSalient = (method: Method, options: SalientOptions): Method => {
  const salient = checked(options)
  if (salient.fraction === 0) return method
  return {
    ...method,
    passes: [salientPass(salient), ...method.passes],
    statistics: method.statistics || salient.by === 'activation',
    salient,
  }
}
