import type { Engine } from '@awq/ort'
import { AwqError } from '@awq/tensor'
import { solveGramBy } from './cholesky.ts'
import { engineProduct, type MatrixProduct } from './product.ts'

/** Matrices that read one input q, and what they are to make of it. */
export interface CompensationProblem {
  /** The float weights, each [rows, width]. */
  readonly weights: readonly Float32Array[]
  readonly width: number
  /** [width, width]: mean of q q^T, q the input in the quantized model. */
  readonly gram: Float32Array
  /**
   * [width, targets]: mean of q t^T. `residual`: t is what the one matrix should make of q. Otherwise t is the input in
   * the float model, of which the float weights make the right output.
   */
  readonly cross: Float32Array
  readonly targets: number
  readonly residual: boolean
}

/** Options of {@link compensateWeights}. */
export interface CompensationOptions {
  /**
   * How far to go, 0..1; default 0.3. The whole way is the least squared error, but a regression on a noisy input shrinks
   * what it predicts, and block upon block makes the shrinking worse than the drift.
   */
  readonly strength?: number | undefined
  /** Added to the Gram matrix's diagonal, as a fraction of its mean; default 0.1. */
  readonly damping?: number | undefined
  /** What messages call the matrices. */
  readonly name?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Moves weights so that they make up for what quantized blocks before them changed: with G the mean of q q^T, K that of
 * (t - W q) q^T where t is the output of the float model, and lambda = damping · mean(diag G),
 *
 *     W' = W + strength · K (G + lambda I)^-1
 *
 * which for strength 1 is the regression of the float output on the quantized input (GPTAQ, arXiv 2504.02692; QEP,
 * arXiv 2504.09629, which both find that part of the way is better).
 *
 * @returns the new weights, in order
 * @throws AwqError INVALID_ARGUMENT for a strength or damping outside 0..1 or shapes that do not fit, NUMERIC when the
 *   Gram matrix is not positive definite. Rejects with `signal.reason`.
 */
export function compensateWeights(
  engine: Engine,
  problem: CompensationProblem,
  options: CompensationOptions = {},
): Promise<Float32Array[]> {
  return compensateWeightsBy(engineProduct(engine), problem, options)
}

/** {@link compensateWeights} with any matrix product. */
export async function compensateWeightsBy(
  product: MatrixProduct,
  problem: CompensationProblem,
  options: CompensationOptions = {},
): Promise<Float32Array[]> {
  const { weights, width, gram, cross, targets, residual } = problem
  const { strength = 0.3, damping = 0.1, name = 'weight', signal } = options
  const fail = (problem: string): never => {
    throw new AwqError('INVALID_ARGUMENT', `${name}: ${problem}`)
  }
  if (!(strength >= 0 && strength <= 1)) fail(`the strength must be between 0 and 1, not ${strength}`)
  if (!(damping > 0 && damping <= 1)) fail(`the damping must be above 0 and at most 1, not ${damping}`)
  const fits =
    gram.length === width * width &&
    cross.length === width * targets &&
    (residual ? weights.length === 1 && weights[0]!.length === cross.length : targets === width) &&
    weights.every(({ length }) => length % width === 0)
  if (!fits) fail(`the weights, a Gram matrix of ${gram.length} and targets of ${cross.length} values do not fit`)

  // K^T: for the whole matrix, or for the identity, of which every matrix that reads the input then takes its own.
  const missing = residual
    ? await product(
        {
          left: gram,
          right: transposed(weights[0]!, targets, width),
          addend: cross,
          rows: width,
          inner: width,
          columns: targets,
          subtract: true,
        },
        signal,
      )
    : cross.map((value, at) => value - gram[at]!)
  const solved = await solveGramBy(product, gram, width, missing, damping, signal)
  if (!solved) throw new AwqError('NUMERIC', `${name}: the Gram matrix is not positive definite; collect it again`)
  for (let at = 0; at < solved.length; at++) solved[at]! *= strength
  const step = transposed(solved, width, targets)
  if (residual) return [weights[0]!.map((value, at) => value + step[at]!)]
  const moved: Float32Array[] = []
  for (const weight of weights) {
    const rows = weight.length / width
    moved.push(await product({ left: weight, right: step, addend: weight, rows, inner: width, columns: width }, signal))
  }
  return moved
}

function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length)
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) result[column * rows + row] = values[row * columns + column]!
  return result
}
