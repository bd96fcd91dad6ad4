/**
 * The scale pass: a scale per input channel for every scale group, folded so that the float function stays the same.
 * @module
 */
import { scaleStats } from '@awq/calibration'
import type { ScaleGroup } from '@awq/models'
import { foldScale, searchScale } from '@awq/search'
import { AwqError } from '@awq/tensor'
import { type BlockState, type FoldedGroup, type Pass, specOf, statsOf, weightOf } from './block-state.ts'

/** A scale for one group, and what the search has to say of it. */
export interface GroupScale extends Pick<FoldedGroup, 'alpha' | 'loss' | 'identityLoss'> {
  /** `[in]`, positive; equal for columns with the same `producerRow`. */
  readonly scale: Float32Array
}

/**
 * Folds a scale into a block: the consumers' columns are multiplied by it, the producer is divided by it, and the
 * statistics become those of the divided activations (AWQ, arXiv 2306.00978, section 3.2).
 * @throws AwqError `INVALID_ARGUMENT` when the scale's length is not the consumers' width, `NUMERIC` when an element
 * is not a positive finite number
 */
export const applyScale = (block: BlockState, group: ScaleGroup, found: GroupScale): void => {
  const { scale } = found
  const where = `block ${block.layer}, scale of ${group.producer}`
  if (scale.length !== group.producerRow.length)
    throw new AwqError(
      'INVALID_ARGUMENT',
      `${where}: ${scale.length} elements for ${group.producerRow.length} input channels`,
    )
  if (!scale.every((s) => s > 0 && Number.isFinite(s)))
    throw new AwqError('NUMERIC', `${where}: every element must be a positive finite number`)
  foldScale({
    scale,
    producerRow: group.producerRow,
    kind: group.kind,
    producer: {
      weight: block.weights.get(`${group.producer}.weight`)!,
      bias: block.weights.get(`${group.producer}.bias`),
    },
    consumers: group.consumers.map((name) => weightOf(block, name)),
  })
  const stats = block.stats.get(group.site)
  if (stats) block.stats.set(group.site, scaleStats(stats, scale))
  const { scale: _, ...measures } = found
  block.folded.push({ layer: block.layer, producer: group.producer, consumers: group.consumers, ...measures })
}

/** Searches the alpha grid on the Gram loss for every scale group, identity included. */
export const scalePass = (): Pass => ({
  name: 'scale',
  async run(block) {
    for (const group of block.scaleGroups) {
      const [first] = group.consumers
      const found = await searchScale(block.engine, {
        weights: group.consumers.map((name) => {
          const data = weightOf(block, name)
          return { data, rows: data.length / group.producerRow.length }
        }),
        width: group.producerRow.length,
        stats: statsOf(block, group.site),
        spec: specOf(block, first!),
        producerRow: group.producerRow,
        ...(block.signal ? { signal: block.signal } : {}),
      })
      applyScale(block, group, found)
    }
  },
})
