/**
 * Rounding passes: float weights to integer codes.
 * @module
 */
import { factorGram, type GptqFactor, roundGptq, roundRtn } from '@awq/quantize'
import { type Pass, specOf, statsOf, weightOf } from './block-state.ts'

/** Rounds every weight to the nearest code of its group. */
export const rtnPass = (): Pass => ({
  name: 'rtn',
  async run(block) {
    for (const { name, shape } of block.linears) {
      block.signal?.throwIfAborted()
      const parameter = block.description.parameter(block.layer, `${name}.weight`)
      const ranges = block.ranges.get(name)
      block.quantized.set(
        name,
        roundRtn(weightOf(block, name), shape, specOf(block, name), ranges, { name: parameter }),
      )
    }
  },
})

/** Options of `gptqPass`. */
export interface GptqPassOptions {
  /** Added to the Gram's diagonal, as a fraction of its mean. */
  readonly damping?: number | undefined
  /** `activation`: columns by decreasing Gram diagonal; `column`: as they stand. */
  readonly order?: 'activation' | 'column' | undefined
}

/** GPTQ (arXiv 2210.17323) with static groups: each column's rounding error is spread over those still to come. */
export const gptqPass = (options: GptqPassOptions = {}): Pass => ({
  name: 'gptq',
  options,
  async run(block) {
    const common = { ...options, signal: block.signal }
    // Linears that read the same activations share a Gram matrix, and with it the factor, which is most of the work.
    const factors = new Map<string, GptqFactor>()
    for (const { name, shape, site } of block.linears) {
      const parameter = block.description.parameter(block.layer, `${name}.weight`)
      const named = { ...common, name: parameter }
      const factor = factors.get(site) ?? (await factorGram(block.engine, statsOf(block, site).gram, shape[1], named))
      factors.set(site, factor)
      const ranges = block.ranges.get(name)
      const matrix = await roundGptq(block.engine, weightOf(block, name), shape, factor, specOf(block, name), {
        ...named,
        ranges,
      })
      block.quantized.set(name, matrix)
    }
  },
})
