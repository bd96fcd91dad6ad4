import type { Engine } from '@awq/ort'
import { AwqError, transposed } from '@awq/tensor'
import { solveGramBy } from './cholesky.ts'
import { engineProduct, type MatrixProduct } from './product.ts'

/** Means over some tokens, for q the input in the quantized model and t what is wanted of it. */
export interface CompensationMeans {
  /** [width, width]: of q q^T. */
  readonly gram: Float32Array
  /** [width, targets]: of q t^T. */
  readonly cross: Float32Array
}

/** Matrices that read one input q, and what they are to make of it. */
export interface CompensationProblem {
  /** The float weights, each [rows, width]. */
  readonly weights: readonly Float32Array[]
  readonly width: number
  /**
   * `residual`: t is what the one matrix should make of q. Otherwise t is the input in the float model, of which the float
   * weights make the right output.
   */
  readonly residual: boolean
  readonly targets: number
  /** Over two sets of tokens that have nothing in common, about as many in each. */
  readonly halves: readonly CompensationMeans[]
}

/** Options of {@link compensateWeights}. */
export interface CompensationOptions {
  /**
   * How far to go, as a fraction of what proves itself on the other half of the tokens; 0..1, default 0.45. A regression on a
   * noisy input shrinks what it predicts, and block upon block makes the shrinking worse than the drift.
   */
  readonly strength?: number | undefined
  /** Added to the Gram matrix's diagonal, as a fraction of its mean; default 0.1. */
  readonly damping?: number | undefined
  /** What messages call the matrices. */
  readonly name?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** The moved weights, in order, and how far they went of the whole regression, 0..1. */
export interface Compensation {
  readonly weights: Float32Array[]
  readonly step: number
}

/**
 * Moves weights so that they make up for what quantized blocks before them changed: with G the mean of q q^T, K that of
 * (t - W q) q^T where t is the output of the float model, and lambda = damping · mean(diag G),
 *
 *     W' = W + step · K (G + lambda I)^-1
 *
 * which for a step of 1 is the regression of the float output on the quantized input (GPTAQ, arXiv 2504.02692; QEP,
 * arXiv 2504.09629, which both find that part of the way is better). The step is measured: each half of the tokens makes a
 * regression D of its own, on the other half the step h with the least error of h D is sum(D · K) / sum(D G · D), and h
 * tells what share of D is not the noise of so few tokens. Both halves together have half of the noise:
 *
 *     step = strength · 2 h / (1 + h)
 *
 * With one half only there is no telling, and the weights stay.
 *
 * @throws AwqError INVALID_ARGUMENT for a strength or damping outside 0..1 or shapes that do not fit, NUMERIC when a
 *   Gram matrix is not positive definite. Rejects with `signal.reason`.
 */
export function compensateWeights(
  engine: Engine,
  problem: CompensationProblem,
  options: CompensationOptions = {},
): Promise<Compensation> {
  return compensateWeightsBy(engineProduct(engine), problem, options)
}

/** {@link compensateWeights} with any matrix product. */
export async function compensateWeightsBy(
  product: MatrixProduct,
  problem: CompensationProblem,
  options: CompensationOptions = {},
): Promise<Compensation> {
  const { strength = 0.45, damping = 0.1, name = 'weight', signal } = options
  checkProblem(problem, { strength, damping, name })
  const { weights, width, targets, residual, halves } = problem
  const unmoved = { weights: weights.map((weight) => weight.slice()), step: 0 }
  const [first, second] = halves
  if (strength === 0 || !first || !second) return unmoved

  /** K^T: for the whole matrix, or for the identity, of which every matrix that reads the input then takes its own. */
  const missingOf = async ({ gram, cross }: CompensationMeans): Promise<Float32Array> => {
    if (!residual) return cross.map((value, at) => value - gram[at]!)
    const left = transposed(weights[0]!, targets, width)
    const sizes = { rows: width, inner: width, columns: targets }
    return product({ left: gram, right: left, addend: cross, ...sizes, subtract: true }, signal)
  }
  const regressionOf = async ({ gram }: CompensationMeans, missing: Float32Array): Promise<Float32Array> => {
    const solved = await solveGramBy(product, gram, width, missing, damping, signal)
    if (!solved) throw new AwqError('NUMERIC', `${name}: the Gram matrix is not positive definite; collect it again`)
    return solved
  }
  const missing = [await missingOf(first), await missingOf(second)] as const
  const regressions = [await regressionOf(first, missing[0]), await regressionOf(second, missing[1])] as const
  let gain = 0
  let size = 0
  for (const [one, other, { gram }] of [
    [regressions[0], missing[1], second],
    [regressions[1], missing[0], first],
  ] as const) {
    const seen = await product({ left: gram, right: one, rows: width, inner: width, columns: targets }, signal)
    gain += dot(one, other)
    size += dot(one, seen)
  }
  const proven = size > 0 ? Math.min(1, Math.max(0, gain / size)) : 0
  const step = (strength * 2 * proven) / (1 + proven)
  if (step === 0) return unmoved

  const both = regressions[0].map((value, at) => (step * (value + regressions[1][at]!)) / 2)
  const change = transposed(both, width, targets)
  if (residual) return { weights: [weights[0]!.map((value, at) => value + change[at]!)], step }
  const moved: Float32Array[] = []
  for (const weight of weights) {
    const rows = weight.length / width
    const sizes = { rows, inner: width, columns: width }
    moved.push(await product({ left: weight, right: change, addend: weight, ...sizes }, signal))
  }
  return { weights: moved, step }
}

function checkProblem(
  { weights, width, targets, residual, halves }: CompensationProblem,
  { strength, damping, name }: { strength: number; damping: number; name: string },
): void {
  const fail = (problem: string): never => {
    throw new AwqError('INVALID_ARGUMENT', `${name}: ${problem}`)
  }
  if (!(strength >= 0 && strength <= 1)) fail(`the strength must be between 0 and 1, not ${strength}`)
  if (!(damping > 0 && damping <= 1)) fail(`the damping must be above 0 and at most 1, not ${damping}`)
  const fits =
    halves.every(({ gram, cross }) => gram.length === width * width && cross.length === width * targets) &&
    (residual ? weights.length === 1 && weights[0]!.length === width * targets : targets === width) &&
    weights.every(({ length }) => length % width === 0)
  if (!fits) fail(`weights of width ${width}, their Gram matrices and ${targets} targets do not fit`)
}

const dot = (a: Float32Array, b: Float32Array): number => {
  let sum = 0
  for (let at = 0; at < a.length; at++) sum += a[at]! * b[at]!
  return sum
}
