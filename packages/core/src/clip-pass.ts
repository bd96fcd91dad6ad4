/**
 * The clip pass: for every group of weights, the range that loses least when rounded.
 * @module
 */
import { searchClip } from '@awq/search'
import { type Pass, specOf } from './block-state.ts'
import { codedStatsOf, codedWeightOf } from './salient.ts'

/** Searches the shrink of every group's range on the Gram's diagonal blocks, no shrink included. */
export const clipPass = (): Pass => ({
  name: 'clip',
  async run(block) {
    for (const { name, shape, site } of block.linears) {
      const { ranges } = await searchClip(block.engine, {
        weight: codedWeightOf(block, name),
        rows: shape[0],
        width: shape[1],
        gram: codedStatsOf(block, site).gram,
        spec: specOf(block, name),
        name: block.description.parameter(block.layer, `${name}.weight`),
        signal: block.signal,
      })
      block.ranges.set(name, ranges)
    }
  },
})
