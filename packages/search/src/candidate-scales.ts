import { AwqError } from '@awq/tensor'

/** The exponents that AWQ tries: 0, 1/20 ... 1 (arXiv 2306.00978, section 3.2: a grid of 20 over [0, 1]). */
export const ALPHAS: readonly number[] = Array.from({ length: 21 }, (_, index) => index / 20)

/** What every implementation bounds a scale by before it is normalised. */
const LEAST_SCALE = 1e-4

/**
 * The magnitude that a scale is made of: meanAbs, averaged over the channels that one row of the producer makes (the
 * query heads of one KV head), so that a scale computed from it can be folded into that row.
 *
 * A channel that was zero on all calibration tokens counts as the least active live one: its own power would be the
 * bound, which divides its producer by an extreme number for the sake of an input that says nothing.
 *
 * @param meanAbs [width]
 * @param producerRow [width], the row or channel of the producer behind each column
 * @throws AwqError INVALID_ARGUMENT for lengths that differ, NUMERIC for a magnitude that is negative or not finite.
 */
export function sharedMagnitude(meanAbs: Float32Array, producerRow: Int32Array): Float32Array {
  if (producerRow.length !== meanAbs.length) {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `producerRow has ${producerRow.length} entries for a width of ${meanAbs.length}`,
    )
  }
  const wrong = meanAbs.findIndex((value) => !(value >= 0 && value < Number.POSITIVE_INFINITY))
  if (wrong >= 0) {
    throw new AwqError('NUMERIC', `the mean magnitude of channel ${wrong} is ${meanAbs[wrong]}: calibrate again`)
  }
  const shared = sharedMean(meanAbs, producerRow)
  const least = shared.reduce((found, value) => (value > 0 && value < found ? value : found), Number.POSITIVE_INFINITY)
  return shared.map((value) => (value > 0 ? value : least === Number.POSITIVE_INFINITY ? 1 : least))
}

/** The mean of `values` [width] over the columns of each producer row, at each of these columns. */
export function sharedMean(values: Float32Array, producerRow: Int32Array): Float32Array {
  const sums = new Map<number, { sum: number; count: number }>()
  producerRow.forEach((row, channel) => {
    const entry = sums.get(row) ?? { sum: 0, count: 0 }
    entry.sum += values[channel]!
    entry.count++
    sums.set(row, entry)
  })
  return Float32Array.from(producerRow, (row) => {
    const { sum, count } = sums.get(row)!
    return sum / count
  })
}

/**
 * s = max(magnitude^alpha, 1e-4) / sqrt(max * min), [width]: AWQ's scale (arXiv 2306.00978, eq. 5) with the published
 * code's normalisation. Alpha 0 gives ones.
 */
export function alphaScale(magnitude: Float32Array, alpha: number): Float32Array {
  const powers = Float64Array.from(magnitude, (value) => Math.max(value ** alpha, LEAST_SCALE))
  let most = 0
  let least = Number.POSITIVE_INFINITY
  for (const value of powers) {
    if (value > most) most = value
    if (value < least) least = value
  }
  const middle = Math.sqrt(most * least)
  return Float32Array.from(powers, (value) => value / middle)
}
