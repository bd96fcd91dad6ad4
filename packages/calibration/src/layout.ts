/**
 * Where the accumulators of one site live. The gram is symmetric, so only its lower triangle is accumulated, in
 * bands of rows: band k holds rows [start, end) and columns [0, end). Few wide bands keep the products efficient and
 * still save up to 7/16 of the arithmetic of the whole matrix.
 * @module
 */

/** One band of the lower triangle: rows start..end, columns 0..end. */
export interface Band {
  readonly start: number
  readonly end: number
}

/**
 * The bands of a gram matrix of `width`: one below 256 (nothing to save), two below 1024, four below 3072, then eight;
 * their heights are multiples of 16, as matrix kernels like them.
 */
export function gramBands(width: number): Band[] {
  const wanted = width < 256 ? 1 : width < 1024 ? 2 : width < 3072 ? 4 : 8
  const height = Math.ceil(width / wanted / 16) * 16
  const bands: Band[] = []
  for (let start = 0; start < width; start += height) bands.push({ start, end: Math.min(width, start + height) })
  return bands
}

/** The public names of a site's accumulators in a graph: inputs, and outputs with `.next` behind. */
export const statsNames = (site: string) => ({
  /** Lower-triangle band k of the sum of x x^T, [end - start, end]. */
  gram: (band: number) => `stats.${site}.gram.${band}`,
  /** Sum of |x|, [width]. */
  sumAbs: `stats.${site}.sumAbs`,
  /** Max of |x|, [width]. */
  maxAbs: `stats.${site}.maxAbs`,
  /** Input: int64 [rows], the tokens of this run to keep. */
  rows: `stats.${site}.rows`,
  /** Output: [rows, width], those tokens' activations. */
  sample: `stats.${site}.sample`,
  /** The output that carries the new value of an accumulator. */
  next: (name: string) => `${name}.next`,
})
