import { effectiveGroupSize } from '@awq/quantize'
import { AwqError } from '@awq/tensor'
import { sharedMagnitude, sharedMean } from './candidate-scales.ts'
import type { WeightRows } from './row-chunks.ts'
import { leastLoss, type ScaleStrategy } from './strategy.ts'

/** What AutoAWQ adds to divisors, and what it bounds scales by. */
const ROW_EPSILON = 1e-6
const SCALE_EPSILON = 1e-4

/** The exponents that AutoAWQ tries: 0, 1/20 ... 19/20. */
export const DUO_RATIOS: readonly number[] = Array.from({ length: 20 }, (_, index) => index / 20)

/** Options of {@link duoStrategy}. */
export interface DuoOptions {
  /** Exponents r to try; default {@link DUO_RATIOS}. */
  readonly ratios?: readonly number[] | undefined
}

/**
 * The scale of AutoAWQ's `duo_scaling` (AutoAWQ 0.2.9, `awq/quantize/quantizer.py`, its default): for every ratio r,
 * s = max(x^r / (w^(1-r) + 1e-4), 1e-4), normalised by sqrt(max s * min s), with x the mean magnitude of the activations
 * and w that of the weights relative to the largest of their group ({@link relativeMagnitude}); the one with the least
 * loss.
 *
 * Unlike AutoAWQ it averages both over the columns that share a producer's row, so that it serves grouped-query
 * attention too.
 *
 * @throws AwqError INVALID_ARGUMENT for a ratio that is not finite.
 */
export function duoStrategy(options: DuoOptions = {}): ScaleStrategy {
  const { ratios = DUO_RATIOS } = options
  const wrong = ratios.find((ratio) => !Number.isFinite(ratio))
  if (wrong !== undefined) throw new AwqError('INVALID_ARGUMENT', `${wrong} is no exponent`)
  if (ratios.length === 0) throw new AwqError('INVALID_ARGUMENT', 'a search over weights and activations needs a ratio')
  return {
    name: 'duo',
    options: { ratios },
    async search({ weights, width, stats, spec, producerRow, evaluate }) {
      const activation = sharedMagnitude(stats.meanAbs, producerRow)
      const weight = sharedMean(relativeMagnitude(weights, width, spec.groupSize), producerRow)
      const scales = ratios.map((ratio) => duoScale(activation, weight, ratio))
      const losses = await evaluate(scales)
      const best = Math.max(0, leastLoss(losses))
      return { scale: scales[best]!, alpha: ratios[best]!, loss: losses[best]! }
    },
  }
}

/**
 * The mean over all rows of |w| / (max |w| of its group + 1e-6), [width]: how large the weights of a channel are among
 * those that share their quantization scale.
 */
export function relativeMagnitude(weights: readonly WeightRows[], width: number, groupSize: number): Float32Array {
  const size = effectiveGroupSize(groupSize, width)
  const sums = new Float64Array(width)
  let rows = 0
  for (const { data, rows: count } of weights) {
    rows += count
    for (let start = 0; start < data.length; start += width) {
      for (let group = 0; group < width; group += size) {
        const end = Math.min(width, group + size)
        let most = 0
        for (let column = group; column < end; column++) most = Math.max(most, Math.abs(data[start + column]!))
        const factor = 1 / (most + ROW_EPSILON)
        for (let column = group; column < end; column++) sums[column]! += Math.abs(data[start + column]!) * factor
      }
    }
  }
  return Float32Array.from(sums, (sum) => sum / rows)
}

/** max(x^r / (w^(1-r) + 1e-4), 1e-4) / sqrt(max * min), [width]; what is not finite becomes 1. */
function duoScale(activation: Float32Array, weight: Float32Array, ratio: number): Float32Array {
  const scale = activation.map((value, channel) =>
    Math.max(value ** ratio / (weight[channel]! ** (1 - ratio) + SCALE_EPSILON), SCALE_EPSILON),
  )
  let most = 0
  let least = Number.POSITIVE_INFINITY
  for (const value of scale) {
    if (value > most) most = value
    if (value < least) least = value
  }
  const middle = Math.sqrt(most * least)
  return scale.map((value) => {
    const normalized = value / middle
    return normalized > 0 && normalized < Number.POSITIVE_INFINITY ? normalized : 1
  })
}
