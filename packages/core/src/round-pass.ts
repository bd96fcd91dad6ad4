/**
 * Rounding passes: float weights to integer codes.
 * @module
 */
import { roundGptq, roundRtn } from '@awq/quantize'
import { type Pass, specOf, statsOf, weightOf } from './block-state.ts'

/** Rounds every weight to the nearest code of its group. */
export const rtnPass = (): Pass => ({
  name: 'rtn',
  async run(block) {
    for (const { name, shape } of block.linears) {
      block.signal?.throwIfAborted()
      block.quantized.set(name, roundRtn(weightOf(block, name), shape, specOf(block, name), block.ranges.get(name)))
    }
  },
})

/** Options of `gptqPass`. */
export interface GptqPassOptions {
  /** Added to the Gram's diagonal, as a fraction of its mean. */
  readonly damping?: number
  /** `activation`: columns by decreasing Gram diagonal; `column`: as they stand. */
  readonly order?: 'activation' | 'column'
}

/** GPTQ (arXiv 2210.17323) with static groups: each column's rounding error is spread over those still to come. */
export const gptqPass = (options: GptqPassOptions = {}): Pass => ({
  name: 'gptq',
  async run(block) {
    for (const { name, shape, site } of block.linears) {
      const ranges = block.ranges.get(name)
      const weight = weightOf(block, name)
      const { gram } = statsOf(block, site)
      const matrix = await roundGptq(block.engine, weight, shape, gram, specOf(block, name), {
        ...options,
        ...(ranges ? { ranges } : {}),
        ...(block.signal ? { signal: block.signal } : {}),
      })
      block.quantized.set(name, matrix)
    }
  },
})
