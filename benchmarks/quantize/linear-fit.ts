/**
 * A straight line through measured points.
 * @module
 */

/** A measured point. */
export interface Point {
  readonly x: number
  readonly y: number
}

export interface LinearFit {
  /** y at x = 0: what a run costs whatever its size. */
  readonly intercept: number
  readonly slope: number
  /** The largest distance of a point from the line, as a share of that point's y. */
  readonly worst: number
}

/**
 * Least squares: slope = sum (x - mean x)(y - mean y) / sum (x - mean x)^2, and the line goes through both means.
 * @throws without two different x
 */
export const fitLine = (points: readonly Point[]): LinearFit => {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
  const [meanX, meanY] = [mean(points.map(({ x }) => x)), mean(points.map(({ y }) => y))]
  const spread = points.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0)
  if (!(spread > 0)) throw new Error('a line needs points at two different places')
  const slope = points.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0) / spread
  const intercept = meanY - slope * meanX
  const worst = Math.max(...points.map(({ x, y }) => Math.abs(y - (intercept + slope * x)) / y))
  return { intercept, slope, worst }
}
