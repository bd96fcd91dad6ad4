/**
 * Input channels that stay float: what passes see of a block whose `salient` is filled.
 * @module
 */
import type { ActivationStats } from '@awq/calibration'
import { takeDenseColumns, withDenseColumns } from '@awq/tensor'
import { type BlockState, statsOf, weightOf } from './block-state.ts'

/** Channels that a fraction of `width` makes: rounded up, at least one; none for a fraction of 0. */
export const salientCount = (fraction: number, width: number): number =>
  // What 0.07 of 100 is in floating point is a little more than 7.
  fraction === 0 ? 0 : Math.min(width, Math.max(1, Math.ceil(fraction * width - 1e-9)))

const channelsOf = (block: BlockState, linear: string): Int32Array | undefined => {
  const spec = block.linears.find(({ name }) => name === linear)
  return spec && block.salient.get(spec.site)
}

/**
 * The weight `[out, in]` that codes must represent: that of a linear, with zeros in the channels that stay float. As
 * every range includes zero, these widen no group and their codes are the zero points.
 */
export const codedWeightOf = (block: BlockState, linear: string): Float32Array => {
  const weight = weightOf(block, linear)
  const channels = channelsOf(block, linear)
  if (!channels) return weight
  const width = block.linears.find(({ name }) => name === linear)!.shape[1]
  const coded = weight.slice()
  for (let start = 0; start < coded.length; start += width) for (const channel of channels) coded[start + channel] = 0
  return coded
}

/** The last coded statistics of each site's channels: several passes ask for the same ones. */
const made = new WeakMap<Int32Array, { readonly of: ActivationStats; readonly coded: ActivationStats }>()

/**
 * Statistics of the input that codes are multiplied with: those of a site, the Gram matrix and the sample without the
 * channels that stay float, whose error is zero. Losses are then those of the whole, and GPTQ neither corrects these
 * channels nor spreads errors of theirs. Means and maxima stay, for scales are found for all channels.
 * @throws AwqError `INVALID_ARGUMENT` when the method collects none
 */
export const codedStatsOf = (block: BlockState, site: string): ActivationStats => {
  const stats = statsOf(block, site)
  const channels = block.salient.get(site)
  if (!channels) return stats
  const known = made.get(channels)
  if (known?.of === stats) return known.coded
  const { width } = stats
  const gram = stats.gram.slice()
  const sample = stats.sample.slice()
  for (const channel of channels) {
    gram.fill(0, channel * width, (channel + 1) * width)
    for (let at = channel; at < gram.length; at += width) gram[at] = 0
    for (let at = channel; at < sample.length; at += width) sample[at] = 0
  }
  const coded = { ...stats, gram, sample }
  made.set(channels, { of: stats, coded })
  return coded
}

/** Gives every rounded matrix the float columns of its site. */
export const keepSalientColumns = (block: BlockState): void => {
  for (const { name, shape, site } of block.linears) {
    const channels = block.salient.get(site)
    const matrix = block.quantized.get(name)
    if (!channels || !matrix) continue
    const parameter = block.description.parameter(block.layer, `${name}.weight`)
    const columns = takeDenseColumns(weightOf(block, name), shape, channels, parameter)
    block.quantized.set(name, withDenseColumns(matrix, columns))
  }
}
