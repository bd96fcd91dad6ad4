/**
 * The smoothing pass: moves the range of activation outliers into the weights.
 * @module
 */
import type { ScaleGroup } from '@awq/models'
import { smoothScale } from '@awq/search'
import { type BlockState, type Pass, statsOf, weightOf } from './block-state.ts'
import { applyScale } from './scale-pass.ts'

/** Options of `smoothPass`. */
export interface SmoothPassOptions {
  /** Migration strength, 0 to 1: 0 makes the weights' columns alike, 1 the activations' channels; default 0.5. */
  readonly alpha?: number | undefined
  /**
   * Which scale groups are smoothed, by what produces their input; default `norm` alone, as in the paper (section 4):
   * the inputs of attention and of the MLP, which have the outliers.
   */
  readonly producers?: readonly ScaleGroup['kind'][] | undefined
}

/** The weights of linears that read one input of `width` channels. */
const rowsOf = (block: BlockState, group: ScaleGroup) =>
  group.consumers.map((name) => {
    const data = weightOf(block, name)
    return { data, rows: data.length / group.producerRow.length }
  })

/**
 * SmoothQuant (arXiv 2211.10438, eq. 4): divides the activations of each group by max|x|^alpha / max|w|^(1-alpha) and
 * multiplies the weights by it, by `applyScale`: the float function stays the same. Passes after it see smoothed weights
 * and statistics.
 * @throws AwqError when run: `INVALID_ARGUMENT` for an alpha outside 0..1, `NUMERIC` for weights that are not finite
 */
export const smoothPass = (options: SmoothPassOptions = {}): Pass => {
  const { alpha = 0.5, producers = ['norm'] } = options
  return {
    name: 'smooth',
    options: { alpha, producers },
    async run(block) {
      for (const group of block.scaleGroups) {
        block.signal?.throwIfAborted()
        if (!producers.includes(group.kind)) continue
        const consumers = group.consumers.map((name) => block.description.parameter(block.layer, name)).join(', ')
        const scale = smoothScale({
          maxAbs: statsOf(block, group.site).maxAbs,
          weights: rowsOf(block, group),
          producerRow: group.producerRow,
          alpha,
          name: `smoothing of ${consumers}`,
        })
        applyScale(block, group, { scale, alpha })
      }
    },
  }
}
