/**
 * What rounding by GPTQ is expected to cost, without rounding anything.
 * @module
 */
import { effectiveGroupSize, type QuantSpec, stepsOf } from '@awq/quantize'
import type { WeightRows } from './row-chunks.ts'

/** An expected loss, and how it changes with the logarithm of each column's scale. */
export interface ExpectedLoss {
  readonly loss: number
  /** [width] */
  readonly gradient: Float64Array
}

/** Linears that read one input, and what an error of each column costs. */
export interface ExpectedLossProblem {
  readonly weights: readonly WeightRows[]
  readonly width: number
  readonly spec: QuantSpec
  /** [width]: what a squared error of a column's weights costs once later columns have made up for it (`factorGram`). */
  readonly pivots: Float32Array
  /** At most about so many rows are looked at, evenly spread; default 1024. */
  readonly rows?: number | undefined
}

/**
 * The loss that GPTQ is expected to leave when the columns are multiplied by a scale s first. Errors of rounding are even in
 * a step, so that with step_rg of row r in group g
 *
 *     loss(s) = sum over r, g of step_rg(s)² / 12 · sum over columns j of g of pivot_j / s_j²
 *
 * For rounding to nearest the pivots would be the Gram matrix's diagonal, which is all that an outlier's neighbors have in
 * common with it; what the columns behind it can not make up for is far more even.
 *
 * @returns a function of the scale [width]; its gradient is that of the columns that span each group, as it stands
 */
export function expectedLoss(problem: ExpectedLossProblem): (scale: Float32Array) => ExpectedLoss {
  const { weights, width, spec, pivots, rows: most = 1024 } = problem
  const groupSize = effectiveGroupSize(spec.groupSize, width)
  const steps = stepsOf(spec.bits)
  const all = weights.reduce((sum, { rows }) => sum + rows, 0)
  const stride = Math.max(1, Math.floor(all / most))
  return (scale) => {
    const gradient = new Float64Array(width)
    const squares = new Float64Array(Math.ceil(width / groupSize))
    const costs = new Float64Array(squares.length)
    for (let column = 0; column < width; column++)
      costs[Math.floor(column / groupSize)]! += pivots[column]! / (12 * scale[column]! ** 2)
    for (const { data, rows } of weights) {
      for (let row = 0; row < rows; row += stride) {
        const start = row * width
        for (let group = 0; group < squares.length; group++) {
          const first = group * groupSize
          const last = Math.min(width, first + groupSize)
          // Every range includes zero: a group of one sign has one end.
          let low = 0
          let high = 0
          let lowest = -1
          let highest = -1
          for (let column = first; column < last; column++) {
            const value = data[start + column]! * scale[column]!
            if (value < low) {
              low = value
              lowest = column
            } else if (value > high) {
              high = value
              highest = column
            }
          }
          if (spec.symmetric) {
            const end = high > -low ? highest : lowest
            const step = (2 * Math.max(high, -low)) / steps
            squares[group]! += step * step
            if (end >= 0) gradient[end]! += 2 * step * step * costs[group]!
            continue
          }
          const step = (high - low) / steps
          squares[group]! += step * step
          const slope = (2 * step * costs[group]!) / steps
          if (highest >= 0) gradient[highest]! += slope * high
          if (lowest >= 0) gradient[lowest]! -= slope * low
        }
      }
    }
    let loss = 0
    for (let column = 0; column < width; column++) {
      const own = (squares[Math.floor(column / groupSize)]! * pivots[column]!) / (12 * scale[column]! ** 2)
      loss += own
      gradient[column]! -= 2 * own
    }
    return { loss, gradient }
  }
}
