/**
 * The descend pass: better codes on the grid that a rounding pass chose.
 * @module
 */
import { descendCodes } from '@awq/quantize'
import { AwqError } from '@awq/tensor'
import { type Pass, specOf } from './block-state.ts'
import { codedStatsOf, codedWeightOf } from './salient.ts'

/** Options of `descendPass`. */
export interface DescendPassOptions {
  /** How often each column is visited; default 2. */
  readonly sweeps?: number | undefined
}

/** Coordinate descent on the codes of every linear (QuantEase, arXiv 2309.01885), after a rounding pass: `descendCodes`. */
export const descendPass = ({ sweeps = 2 }: DescendPassOptions = {}): Pass => ({
  name: 'descend',
  options: { sweeps },
  async run(block) {
    for (const { name, site } of block.linears) {
      const parameter = block.description.parameter(block.layer, `${name}.weight`)
      const matrix = block.quantized.get(name)
      if (!matrix || specOf(block, name).bits !== matrix.bits)
        throw new AwqError('INVALID_ARGUMENT', `${parameter} has no codes to descend from: round it before`)
      const { gram } = codedStatsOf(block, site)
      const options = { sweeps, name: parameter, signal: block.signal }
      block.quantized.set(name, await descendCodes(block.engine, codedWeightOf(block, name), matrix, gram, options))
    }
  },
})
