import { factorGram } from '@awq/quantize'
import { AwqError } from '@awq/tensor'
import { alphaStrategy } from './alpha-strategy.ts'
import { expectedLoss } from './expected-loss.ts'
import { logSteps } from './log-steps.ts'
import type { ScaleStrategy } from './strategy.ts'

/** Options of {@link gptqStrategy}. */
export interface GptqStrategyOptions {
  /** Steps to take; default 60. */
  readonly steps?: number | undefined
  /** The first step's length in log s; later ones shrink to 0 along a half cosine. Default 0.05. */
  readonly rate?: number | undefined
  /** Where to start; default {@link alphaStrategy}. */
  readonly start?: ScaleStrategy | undefined
}

/**
 * Scales for linears that GPTQ rounds: steps on log s along the gradient of {@link expectedLoss}, from what another strategy
 * finds. What an error of a column costs is taken from the factor of the Gram matrix as the start scales it; the order in
 * which columns are rounded hardly changes on the way.
 *
 * @throws AwqError INVALID_ARGUMENT for steps or a rate that are not positive; its search rejects with NUMERIC for a Gram
 *   matrix that can not be factored, and with `signal.reason`.
 */
export function gptqStrategy(options: GptqStrategyOptions = {}): ScaleStrategy {
  const { steps = 60, rate = 0.05, start = alphaStrategy() } = options
  if (!Number.isSafeInteger(steps) || steps < 1 || !(rate > 0 && rate < 10)) {
    throw new AwqError('INVALID_ARGUMENT', `a search of scales needs steps and a rate, not ${steps} steps at ${rate}`)
  }
  return {
    name: 'gptq',
    options: { steps, rate, start: { name: start.name, ...start.options } },
    async search(context) {
      const { engine, weights, width, stats, spec, producerRow, name, signal, onProgress } = context
      const { scale } = await start.search(context)
      const gram = stats.gram.map((value, at) => value / (scale[Math.floor(at / width)]! * scale[at % width]!))
      const { pivots, feedback } = await factorGram(engine, gram, width, { name, signal })
      if (feedback === null) return { scale }
      const unscaled = pivots.map((pivot, column) => pivot * scale[column]! ** 2)
      const slopeAt = expectedLoss({ weights, width, spec, pivots: unscaled })
      const onStep = (done: number) => {
        signal?.throwIfAborted()
        onProgress?.({ done, total: steps })
      }
      return { scale: await logSteps(scale, producerRow, slopeAt, { steps, rate, onStep }) }
    },
  }
}
