import { AwqError } from '@awq/tensor'
import { ALPHAS, alphaScale, sharedMagnitude } from './candidate-scales.ts'
import { leastLoss, type ScaleStrategy } from './strategy.ts'

/** Options of {@link alphaStrategy}. */
export interface AlphaOptions {
  /** Exponents to try beside 0; default 0, 1/20 ... 1. */
  readonly alphas?: readonly number[] | undefined
}

/**
 * AWQ's search (arXiv 2306.00978, section 3.2, eq. 5): s = meanAbs^alpha, normalised, for every alpha of a grid; the
 * one with the least loss. Alpha 0 (no scale) is always tried, first; of equal losses the first wins, and one that is
 * not finite never does.
 *
 * @throws AwqError INVALID_ARGUMENT for an alpha that is not finite; its search rejects with NUMERIC when no candidate
 *   has a finite loss.
 */
export function alphaStrategy(options: AlphaOptions = {}): ScaleStrategy {
  const wrong = options.alphas?.find((alpha) => !Number.isFinite(alpha))
  if (wrong !== undefined) throw new AwqError('INVALID_ARGUMENT', `${wrong} is no exponent`)
  const alphas = [0, ...(options.alphas ?? ALPHAS).filter((alpha) => alpha !== 0)]
  return {
    name: 'alpha',
    options: { alphas },
    async search({ stats, producerRow, evaluate }) {
      const magnitude = sharedMagnitude(stats.meanAbs, producerRow)
      const scales = alphas.map((alpha) => alphaScale(magnitude, alpha))
      const losses = await evaluate(scales)
      const best = Math.max(0, leastLoss(losses))
      return { scale: scales[best]!, alpha: alphas[best]!, loss: losses[best]! }
    },
  }
}
