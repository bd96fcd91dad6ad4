import type { ActivationStats } from '@awq/calibration'
import type { Engine } from '@awq/ort'
import { AwqError } from '@awq/tensor'
import { ALPHAS, alphaScale, sharedMagnitude } from './candidate-scales.ts'
import { evaluateScales, type ScaleProblem, type SearchOptions } from './scale-loss.ts'

/** A scale search: the problem by its statistics, and which columns must share a scale. */
export interface ScaleSearch extends Omit<ScaleProblem, 'gram'>, SearchOptions {
  readonly stats: ActivationStats
  /** [width] the producer's row or channel behind each column; columns of one row get one scale. */
  readonly producerRow: Int32Array
  /** Exponents to try beside 0; default 0, 1/20 ... 1. */
  readonly alphas?: readonly number[] | undefined
  /** What error messages call the group. */
  readonly name?: string | undefined
}

/** The best scale of a search. */
export interface ScaleChoice {
  /** [width], constant over equal `producerRow`. */
  readonly scale: Float32Array
  readonly alpha: number
  /** tr(E G E^T) with this scale, summed over the weights; never above `identityLoss`. */
  readonly loss: number
  /** The same without a scale: the loss of plain rounding. */
  readonly identityLoss: number
}

/**
 * AWQ's scale search (arXiv 2306.00978, section 3.2) on the exact linear objective: for every alpha, s = meanAbs^alpha,
 * normalised; the s with the least loss of {@link evaluateScales}. Alpha 0 (no scale) is always tried, first; of equal
 * losses the first wins, and one that is not finite never does.
 *
 * @throws AwqError INVALID_ARGUMENT for shapes or alphas that do not fit; NUMERIC when no candidate has a finite loss;
 *   `signal.reason` when aborted.
 */
export async function searchScale(engine: Engine, search: ScaleSearch): Promise<ScaleChoice> {
  const { weights, width, stats, spec, producerRow, name = 'scale search' } = search
  if (stats.width !== width) {
    throw new AwqError('INVALID_ARGUMENT', `${name}: statistics of width ${stats.width} for weights of width ${width}`)
  }
  const wrong = search.alphas?.find((alpha) => !Number.isFinite(alpha))
  if (wrong !== undefined) throw new AwqError('INVALID_ARGUMENT', `${name}: ${wrong} is no exponent`)
  const alphas = [0, ...(search.alphas ?? ALPHAS).filter((alpha) => alpha !== 0)]
  const magnitude = sharedMagnitude(stats.meanAbs, producerRow)
  const scales = alphas.map((alpha) => alphaScale(magnitude, alpha))
  const losses = await evaluateScales(engine, { weights, width, gram: stats.gram, spec }, scales, search)
  let best = -1
  losses.forEach((loss, index) => {
    if (Number.isFinite(loss) && (best < 0 || loss < losses[best]!)) best = index
  })
  if (best < 0) {
    throw new AwqError(
      'NUMERIC',
      `${name}: no candidate has a finite loss; the weights or the activation statistics are not finite, or too large`,
    )
  }
  return { scale: scales[best]!, alpha: alphas[best]!, loss: losses[best]!, identityLoss: losses[0]! }
}
