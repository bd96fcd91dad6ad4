import { AwqError } from '@awq/tensor'
import type { WeightRows } from './row-chunks.ts'

/** What a smoothing scale is computed from. */
export interface Smoothing {
  /** [width] largest |x| of each input channel over the calibration tokens. */
  readonly maxAbs: Float32Array
  /** The linears that read the input, each [rows, width]. */
  readonly weights: readonly WeightRows[]
  /** [width], the producer's row or channel behind each column: columns of one row get one scale. */
  readonly producerRow: Int32Array
  /** Migration strength, 0 to 1: how much of the activations' range moves into the weights. */
  readonly alpha: number
  /** What error messages call the group. */
  readonly name?: string | undefined
}

/** Magnitudes below this share of the largest one count as this share; the published code bounds them by 1e-5. */
const LEAST_SHARE = 1e-5

/**
 * SmoothQuant's scale (arXiv 2211.10438, eq. 4): s_j = max|x_j|^alpha / max|w_j|^(1 - alpha), the maxima of x over
 * tokens and of w over the rows of all siblings. Multiplying column j of the weights by s_j and dividing the activations
 * by it leaves both with the range (max|x_j|)^(1-alpha) (max|w_j|)^alpha: at alpha 0.5 the same.
 *
 * Columns of one producer row (the query heads of one KV head) take their common maxima. A channel without activations,
 * or without weights, counts as the smallest live one, so that what was not seen moves neither range far.
 *
 * @returns [width], positive and finite, constant over equal `producerRow`
 * @throws AwqError INVALID_ARGUMENT for an alpha outside 0..1 and for shapes that do not fit, NUMERIC for a magnitude
 *   that is not finite
 */
export function smoothScale(smoothing: Smoothing): Float32Array {
  const { maxAbs, weights, producerRow, alpha, name = 'smoothing' } = smoothing
  const width = producerRow.length
  if (!(alpha >= 0 && alpha <= 1)) {
    throw new AwqError('INVALID_ARGUMENT', `${name}: alpha must be between 0 and 1, not ${alpha}`)
  }
  if (maxAbs.length !== width || weights.length === 0) {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `${name}: ${maxAbs.length} activation maxima and ${weights.length} weights for ${width} columns`,
    )
  }
  const activations = live(shared(maxAbs, producerRow), `${name}: the largest activation`)
  const magnitudes = live(shared(columnMaxima(weights, width, name), producerRow), `${name}: the largest weight`)
  return activations.map((value, column) => value ** alpha / magnitudes[column]! ** (1 - alpha))
}

/** [width] largest |w| of each column over all rows of all weights. */
function columnMaxima(weights: readonly WeightRows[], width: number, name: string): Float32Array {
  const maxima = new Float32Array(width)
  weights.forEach(({ data, rows }, index) => {
    if (data.length !== rows * width) {
      throw new AwqError(
        'INVALID_ARGUMENT',
        `${name}: weight ${index} has ${data.length} values, which are not ${rows} rows of ${width}`,
      )
    }
    for (let start = 0; start < data.length; start += width) {
      for (let column = 0; column < width; column++) {
        const value = Math.abs(data[start + column]!)
        // Written so that a NaN is kept, to be found later.
        if (!(value <= maxima[column]!)) maxima[column] = value
      }
    }
  })
  return maxima
}

/** For each column the largest value among the columns of its producer row. */
function shared(values: Float32Array, producerRow: Int32Array): Float32Array {
  const largest = new Map<number, number>()
  values.forEach((value, column) => {
    const row = producerRow[column]!
    const known = largest.get(row)
    if (known === undefined || !(value <= known)) largest.set(row, value)
  })
  return values.map((_, column) => largest.get(producerRow[column]!)!)
}

/** Zeros as the smallest positive value, and nothing below {@link LEAST_SHARE} of the largest; ones where all are zero. */
function live(values: Float32Array, what: string): Float32Array {
  let least = Number.POSITIVE_INFINITY
  let most = 0
  values.forEach((value, column) => {
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) {
      throw new AwqError('NUMERIC', `${what} of channel ${column} is ${value}`)
    }
    if (value > most) most = value
    if (value > 0 && value < least) least = value
  })
  if (most === 0) return values.map(() => 1)
  return values.map((value) => Math.max(value === 0 ? least : value, most * LEAST_SHARE))
}
