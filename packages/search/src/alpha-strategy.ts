import { AwqError } from '@awq/tensor'
import { ALPHAS, alphaScale, sharedMagnitude } from './candidate-scales.ts'
import { type EvaluateScales, leastLoss, type ScaleStrategy } from './strategy.ts'

/** Options of {@link alphaStrategy}. */
export interface AlphaOptions {
  /** Exponents to try beside 0; default 0, 1/20 ... 1. */
  readonly alphas?: readonly number[] | undefined
  /** Further exponents to try by golden section around the best of the grid, between its neighbors; default 0. */
  readonly refine?: number | undefined
}

/** The share of an interval that a golden section keeps. */
const GOLDEN = (Math.sqrt(5) - 1) / 2

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
  const { refine = 0 } = options
  if (!Number.isSafeInteger(refine) || refine < 0) {
    throw new AwqError('INVALID_ARGUMENT', `a grid is refined by a number of evaluations, not ${refine}`)
  }
  return {
    name: 'alpha',
    options: { alphas, refine },
    async search({ stats, producerRow, evaluate }) {
      const magnitude = sharedMagnitude(stats.meanAbs, producerRow)
      const scales = alphas.map((alpha) => alphaScale(magnitude, alpha))
      const losses = await evaluate(scales)
      const best = Math.max(0, leastLoss(losses))
      const found = { scale: scales[best]!, alpha: alphas[best]!, loss: losses[best]! }
      return refine === 0 ? found : await goldenSection(found, alphas, refine, magnitude, evaluate)
    },
  }
}

/**
 * The best of `count` more exponents within the grid's neighbors of the best one. The loss is not smooth in alpha, so the
 * best seen is kept, not the last.
 */
async function goldenSection(
  start: { scale: Float32Array; alpha: number; loss: number },
  alphas: readonly number[],
  count: number,
  magnitude: Float32Array,
  evaluate: EvaluateScales,
): Promise<typeof start> {
  const sorted = alphas.toSorted((a, b) => a - b)
  const at = sorted.indexOf(start.alpha)
  let [low, high] = [sorted[at - 1] ?? start.alpha, sorted[at + 1] ?? start.alpha]
  let best = start
  const seen = new Map<number, number>()
  const lossAt = async (alpha: number): Promise<number> => {
    const known = seen.get(alpha)
    if (known !== undefined) return known
    const scale = alphaScale(magnitude, alpha)
    const loss = (await evaluate([scale]))[0]!
    seen.set(alpha, loss)
    if (loss < best.loss) best = { scale, alpha, loss }
    return loss
  }
  let [left, right] = [high - GOLDEN * (high - low), low + GOLDEN * (high - low)]
  while (seen.size < count && high - low > 1e-6) {
    if ((await lossAt(left)) <= (seen.size < count ? await lossAt(right) : Number.POSITIVE_INFINITY)) {
      ;[high, right] = [right, left]
      left = high - GOLDEN * (high - low)
    } else {
      ;[low, left] = [left, right]
      right = low + GOLDEN * (high - low)
    }
  }
  return best
}
