import { AwqError } from '@awq/tensor'

/** Rows kept of the activations themselves, at most. */
export const SAMPLE_ROWS = 512

/**
 * What a calibration run says about the input x [width] of one linear, or of siblings that share it, over `count`
 * tokens. Every field but the sample adds up over shards of data ({@link mergeStats}).
 */
export interface ActivationStats {
  /** Tokens seen. */
  readonly count: number
  /** Inputs of the linear. */
  readonly width: number
  /** [width] mean |x|. */
  readonly meanAbs: Float32Array
  /** [width] max |x|. */
  readonly maxAbs: Float32Array
  /** [width, width] mean of x x^T, symmetric: the squared output error of E = W' - W is tr(E gram E^T) per token. */
  readonly gram: Float32Array
  /** [rows, width], rows <= {@link SAMPLE_ROWS}: activations of evenly strided tokens. */
  readonly sample: Float32Array
  /**
   * Of an expert's input: how many of the tokens came by. The others count as zeros in the means above, and each row is x
   * times the weight of the expert's output, so that losses are those of the mixture per token. Absent where all come by.
   */
  readonly reached?: number | undefined
}

/**
 * Checks that the fields of `stats` fit its width.
 * @throws AwqError INVALID_ARGUMENT naming `name` and the field.
 */
export function checkStats(stats: ActivationStats, name = 'activation statistics'): void {
  const { count, width, meanAbs, maxAbs, gram, sample } = stats
  const fail = (problem: string): never => {
    throw new AwqError('INVALID_ARGUMENT', `${name}: ${problem}`)
  }
  if (!Number.isSafeInteger(width) || width < 1) fail(`the width must be a positive integer, not ${width}`)
  if (!Number.isFinite(count) || count <= 0) fail(`the token count must be positive, not ${count}`)
  if (meanAbs.length !== width) fail(`meanAbs has ${meanAbs.length} values for a width of ${width}`)
  if (maxAbs.length !== width) fail(`maxAbs has ${maxAbs.length} values for a width of ${width}`)
  if (gram.length !== width * width) fail(`gram has ${gram.length} values, not ${width} x ${width}`)
  if (sample.length % width !== 0) fail(`sample has ${sample.length} values, not a multiple of the width ${width}`)
}

/**
 * The statistics of two disjoint sets of tokens together: means weighted by count, the larger maxima, both samples
 * (thinned evenly to {@link SAMPLE_ROWS} rows).
 * @throws AwqError INVALID_ARGUMENT when the widths differ.
 */
export function mergeStats(a: ActivationStats, b: ActivationStats): ActivationStats {
  checkStats(a, 'first statistics')
  checkStats(b, 'second statistics')
  if (a.width !== b.width) {
    throw new AwqError('INVALID_ARGUMENT', `statistics of width ${a.width} and ${b.width} are not of the same linear`)
  }
  const count = a.count + b.count
  const mean = (x: Float32Array, y: Float32Array) =>
    x.map((value, index) => (value * a.count + y[index]! * b.count) / count)
  return {
    count,
    width: a.width,
    meanAbs: mean(a.meanAbs, b.meanAbs),
    maxAbs: a.maxAbs.map((value, index) => Math.max(value, b.maxAbs[index]!)),
    gram: mean(a.gram, b.gram),
    sample: thinRows([a.sample, b.sample], a.width, SAMPLE_ROWS),
    ...(a.reached === undefined ? {} : { reached: a.reached + (b.reached ?? b.count) }),
  }
}

/** The rows of `parts` one after the other, evenly thinned to at most `limit`. */
function thinRows(parts: readonly Float32Array[], width: number, limit: number): Float32Array {
  const rows = parts.flatMap((part) =>
    Array.from({ length: part.length / width }, (_, row) => part.subarray(row * width, (row + 1) * width)),
  )
  const kept = Math.min(limit, rows.length)
  const result = new Float32Array(kept * width)
  for (let row = 0; row < kept; row++) result.set(rows[Math.floor((row * rows.length) / kept)]!, row * width)
  return result
}

/**
 * The statistics after the consumers' columns were multiplied by `scale`, so that their input is x / scale:
 * meanAbs / s, maxAbs / s, S^-1 gram S^-1, sample / s. The loss does not change: tr(E S S^-1 G S^-1 S E^T).
 *
 * @param scale [width], positive and finite
 * @throws AwqError INVALID_ARGUMENT naming the first channel with an unusable scale.
 */
export function scaleStats(stats: ActivationStats, scale: Float32Array): ActivationStats {
  checkStats(stats)
  const { width } = stats
  if (scale.length !== width) {
    throw new AwqError('INVALID_ARGUMENT', `${scale.length} scales for statistics of width ${width}`)
  }
  const bad = scale.findIndex((value) => !(value > 0 && value < Number.POSITIVE_INFINITY))
  if (bad >= 0) {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `the scale of channel ${bad} is ${scale[bad]}: it must be positive and finite`,
    )
  }
  const gram = new Float32Array(width * width)
  for (let row = 0; row < width; row++) {
    const start = row * width
    const own = scale[row]!
    // The product of both scales in double precision keeps the result symmetric to the last bit.
    for (let column = 0; column < width; column++) {
      gram[start + column] = stats.gram[start + column]! / (own * scale[column]!)
    }
  }
  return {
    ...stats,
    meanAbs: stats.meanAbs.map((value, channel) => value / scale[channel]!),
    maxAbs: stats.maxAbs.map((value, channel) => value / scale[channel]!),
    gram,
    sample: stats.sample.map((value, index) => value / scale[index % width]!),
  }
}
