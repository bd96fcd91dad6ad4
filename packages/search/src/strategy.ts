/**
 * The seam of the scale search: a strategy proposes scales, an objective judges them.
 * @module
 */
import type { ActivationStats } from '@awq/calibration'
import type { Engine } from '@awq/ort'
import type { QuantSpec } from '@awq/quantize'
import type { WeightRows } from './row-chunks.ts'
import type { SearchOptions } from './scale-loss.ts'

/**
 * The losses of some scales, each [width], in order; smaller is better. A loss is NaN or infinite when the scale leaves
 * float16.
 */
export type EvaluateScales = (scales: readonly Float32Array[]) => Promise<number[]>

/** What a strategy works on: the linears that read one input, and the objective in force. */
export interface ScaleContext extends SearchOptions {
  readonly engine: Engine
  /** The linears that read the input, each [rows, width]. */
  readonly weights: readonly WeightRows[]
  readonly width: number
  /** Statistics of the input. */
  readonly stats: ActivationStats
  /** How all of the weights will be rounded. */
  readonly spec: QuantSpec
  /** [width], the producer's row or channel behind each column: columns of one row must get one scale. */
  readonly producerRow: Int32Array
  /** What error messages call the group. */
  readonly name: string
  /** The objective in force. */
  readonly evaluate: EvaluateScales
}

/** What a strategy found. */
export interface ScaleChoice {
  /** [width], positive and finite, constant over equal `producerRow`. */
  readonly scale: Float32Array
  /** The exponent, where the scale has one. */
  readonly alpha?: number | undefined
  /** The objective's value with the scale; evaluated by the search when left out. */
  readonly loss?: number | undefined
}

/**
 * A way to find the scale of one scale group. Any object of this form will do: the search evaluates what it returns,
 * and takes no scale at all where that is better.
 */
export interface ScaleStrategy {
  readonly name: string
  /** What else decides the result, as JSON: a run is resumed only with the same options. */
  readonly options?: object | undefined
  search(context: ScaleContext): Promise<ScaleChoice>
}

/** The least loss that is finite, its index; -1 when there is none. Of equal losses the first wins. */
export function leastLoss(losses: readonly number[]): number {
  let best = -1
  losses.forEach((loss, index) => {
    if (Number.isFinite(loss) && (best < 0 || loss < losses[best]!)) best = index
  })
  return best
}

/** The better of a choice and another scale by the objective in force; the choice when neither is. */
export async function betterChoice(
  { evaluate }: Pick<ScaleContext, 'evaluate'>,
  choice: ScaleChoice,
  scale: Float32Array,
): Promise<ScaleChoice> {
  if (scale === choice.scale) return choice
  const known = choice.loss
  const losses = known === undefined ? await evaluate([choice.scale, scale]) : [known, ...(await evaluate([scale]))]
  return leastLoss(losses) === 1 ? { scale, loss: losses[1]! } : { ...choice, loss: losses[0]! }
}
