/**
 * Steps on the logarithm of a scale.
 * @module
 */

/** Options of {@link logSteps}. */
export interface LogStepsOptions {
  /** Steps to take. */
  readonly steps: number
  /** The first step's length in log s; later ones shrink to 0 along a half cosine. */
  readonly rate: number
  /** Called after each step. */
  readonly onStep?: ((done: number) => void) | undefined
}

/** A loss at a scale, and its gradient [width] by log s. */
export interface Slope {
  readonly loss: number
  readonly gradient: Float64Array
}

/** Decay of the running means of gradients and their squares (Adam, arXiv 1412.6980; the squares forget faster here). */
const DECAY = { mean: 0.9, square: 0.95 }

/**
 * Follows the gradient of a loss of log s from a scale, by steps as Adam takes them (arXiv 1412.6980); columns of one
 * producer row move together. Ends early where the loss or the gradient is not finite.
 * @returns the scale with the least loss that was seen
 */
export async function logSteps(
  start: Float32Array,
  producerRow: Int32Array,
  slopeAt: (scale: Float32Array) => Slope | Promise<Slope>,
  { steps, rate, onStep }: LogStepsOptions,
): Promise<Float32Array> {
  const { rowOf, rows } = numberRows(producerRow)
  const position = new Float64Array(rows)
  rowOf.forEach((row, column) => {
    position[row] = Math.log(start[column]!)
  })
  const mean = new Float64Array(rows)
  const square = new Float64Array(rows)
  let best = { loss: Number.POSITIVE_INFINITY, scale: start }
  for (let step = 0; step <= steps; step++) {
    const scale = Float32Array.from(rowOf, (row) => Math.exp(position[row]!))
    const { loss, gradient } = await slopeAt(scale)
    if (loss < best.loss) best = { loss, scale }
    // Beyond float16 or on broken data there is nothing to follow.
    if (!Number.isFinite(loss) || gradient.some((value) => !Number.isFinite(value))) break
    const sums = new Float64Array(rows)
    rowOf.forEach((row, column) => {
      sums[row]! += gradient[column]!
    })
    const length = rate * 0.5 * (1 + Math.cos((Math.PI * step) / steps))
    for (let row = 0; row < rows; row++) {
      mean[row] = DECAY.mean * mean[row]! + (1 - DECAY.mean) * sums[row]!
      square[row] = DECAY.square * square[row]! + (1 - DECAY.square) * sums[row]! ** 2
      const direction = mean[row]! / (1 - DECAY.mean ** (step + 1))
      const size = Math.sqrt(square[row]! / (1 - DECAY.square ** (step + 1)))
      if (size > 0) position[row]! -= (length * direction) / size
    }
    onStep?.(step)
  }
  return best.scale
}

/** Producer rows numbered from 0 in the order they appear. */
function numberRows(producerRow: Int32Array): { rowOf: Int32Array; rows: number } {
  const numbers = new Map<number, number>()
  const rowOf = producerRow.map((row) => {
    const known = numbers.get(row) ?? numbers.size
    numbers.set(row, known)
    return known
  })
  return { rowOf, rows: numbers.size }
}
