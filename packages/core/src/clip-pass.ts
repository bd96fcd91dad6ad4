/**
 * The clip pass: for every group of weights, the range that loses least when rounded.
 * @module
 */
import { collectStats } from '@awq/calibration'
import type { GptqFactorOptions } from '@awq/quantize'
import { type ClipOptions, searchClip } from '@awq/search'
import { type BlockState, type Pass, specOf } from './block-state.ts'
import { gptqFactor } from './gptq-factors.ts'
import { codedStatsOf, codedWeightOf } from './salient.ts'

/** Options of `clipPass`. */
export interface ClipPassOptions extends ClipOptions {
  /**
   * Whose errors count: those of all calibration tokens (default), or of the sample of at most 512 that the statistics
   * keep, as peers do.
   */
  readonly tokens?: 'all' | 'sample' | undefined
  /** Linears that keep their full ranges, by the ends of their names; peers leave out `q_proj` and `k_proj`. */
  readonly skip?: readonly string[] | undefined
  /**
   * Options of the GPTQ pass that rounds behind it, when there is one: the error of a column then costs what later columns
   * can not make up for, and nothing together with others. By default errors add up as for rounding to nearest.
   */
  readonly gptq?: GptqFactorOptions | undefined
}

const gramOf = async (block: BlockState, site: string, tokens: 'all' | 'sample'): Promise<Float32Array> => {
  const stats = codedStatsOf(block, site)
  if (tokens === 'all') return stats.gram
  return (await collectStats(block.engine, stats.sample, stats.width, { name: site, signal: block.signal })).gram
}

/** The errors' costs when GPTQ rounds, as a Gram matrix: its pivots on the diagonal. */
const pivotsOf = async (block: BlockState, site: string, options: GptqFactorOptions): Promise<Float32Array> => {
  const { gram, width } = codedStatsOf(block, site)
  const { pivots } = await gptqFactor(block.engine, gram, width, { ...options, signal: block.signal })
  const costs = new Float32Array(width * width)
  pivots.forEach((pivot, column) => {
    costs[column * width + column] = pivot
  })
  return costs
}

/** Searches the range of every group on the Gram's diagonal blocks, the full range included. */
export const clipPass = (options: ClipPassOptions = {}): Pass => {
  const { tokens = 'all', skip = [], gptq, ...clip } = options
  return {
    name: 'clip',
    options,
    async run(block) {
      const grams = new Map<string, Float32Array>()
      for (const { name, shape, site } of block.linears) {
        if (skip.some((end) => name.endsWith(end))) continue
        const gram = grams.get(site) ?? (await (gptq ? pivotsOf(block, site, gptq) : gramOf(block, site, tokens)))
        grams.set(site, gram)
        const { ranges } = await searchClip(block.engine, {
          ...clip,
          weight: codedWeightOf(block, name),
          rows: shape[0],
          width: shape[1],
          gram,
          spec: specOf(block, name),
          name: block.description.parameter(block.layer, `${name}.weight`),
          signal: block.signal,
        })
        block.ranges.set(name, ranges)
      }
    },
  }
}
