import { AwqError } from '@awq/tensor'
import { alphaStrategy } from './alpha-strategy.ts'
import type { GridRule } from './fake-quantize.ts'
import { openScaleLoss, type SearchOptions } from './scale-loss.ts'
import type { EvaluateScales, ScaleContext, ScaleStrategy } from './strategy.ts'

/** A scale search: the linears with the statistics of their input, how to search, and what to judge by. */
export interface ScaleSearch extends Omit<ScaleContext, 'engine' | 'name' | 'evaluate'>, SearchOptions {
  /** Default {@link alphaStrategy}. */
  readonly strategy?: ScaleStrategy | undefined
  /** The objective; by default the squared error of the linears' outputs ({@link openScaleLoss}). */
  readonly evaluate?: EvaluateScales | undefined
  /** How ranges and grids come about in the default objective, where it is not as they are stored. */
  readonly rule?: GridRule | undefined
  /** Whether no scale is a candidate of its own, which wins where it is better; default true. */
  readonly identity?: boolean | undefined
  /** What error messages call the group. */
  readonly name?: string | undefined
}

/** The scale that a search took. */
export interface FoundScale {
  /** [width], constant over equal `producerRow`. */
  readonly scale: Float32Array
  /** The exponent, where the strategy has one; 0 for no scale. */
  readonly alpha?: number
  /** The objective with this scale; never above `identityLoss`, where no scale is a candidate. */
  readonly loss: number
  /** The same without a scale: the loss of plain rounding. */
  readonly identityLoss: number
}

/**
 * Finds the scale of one scale group by a strategy. No scale is always a candidate: it is taken where what the strategy
 * found is not better.
 *
 * @throws AwqError INVALID_ARGUMENT for shapes that do not fit, and for a strategy whose scale is not positive, or
 *   differs between columns of one producer row; NUMERIC when neither loss is finite; `signal.reason` when aborted.
 */
export async function searchScale(engine: ScaleContext['engine'], search: ScaleSearch): Promise<FoundScale> {
  const { weights, width, stats, spec, producerRow, signal, onProgress, rule, name = 'scale search' } = search
  if (stats.width !== width) {
    throw new AwqError('INVALID_ARGUMENT', `${name}: statistics of width ${stats.width} for weights of width ${width}`)
  }
  const strategy = search.strategy ?? alphaStrategy()
  const own = search.evaluate
    ? undefined
    : await openScaleLoss(engine, { weights, width, gram: stats.gram, spec, rule }, { signal, onProgress })
  const { evaluate, identityLoss } = rememberIdentity(search.evaluate ?? own!.evaluate, width)
  try {
    signal?.throwIfAborted()
    const context = { engine, weights, width, stats, spec, producerRow, name, evaluate, signal, onProgress }
    const found = await strategy.search(context)
    const who = `${name}: strategy ${strategy.name}`
    if (!(found?.scale instanceof Float32Array)) {
      throw new AwqError('INVALID_ARGUMENT', `${who} must give { scale } with a Float32Array of ${width} values`)
    }
    checkScale(found.scale, producerRow, who)
    const loss = found.loss ?? (await evaluate([found.scale]))[0]!
    const plain = await identityLoss()
    if (!Number.isFinite(loss) && !Number.isFinite(plain)) {
      throw new AwqError(
        'NUMERIC',
        `${name}: no candidate has a finite loss; the weights or the activation statistics are not finite, or too large`,
      )
    }
    if (!Number.isFinite(loss) || (plain <= loss && search.identity !== false)) {
      return { scale: new Float32Array(width).fill(1), alpha: 0, loss: plain, identityLoss: plain }
    }
    return {
      scale: found.scale,
      ...(found.alpha === undefined ? {} : { alpha: found.alpha }),
      loss,
      identityLoss: plain,
    }
  } finally {
    own?.dispose()
  }
}

/** An objective that keeps the loss of the identity when it comes by: most strategies try it. */
function rememberIdentity(evaluate: EvaluateScales, width: number) {
  let known: number | undefined
  const remembering: EvaluateScales = async (scales) => {
    const losses = await evaluate(scales)
    const at = known === undefined ? scales.findIndex((scale) => scale.every((value) => value === 1)) : -1
    if (at >= 0) known = losses[at]
    return losses
  }
  const identityLoss = async (): Promise<number> => {
    known ??= (await evaluate([new Float32Array(width).fill(1)]))[0]!
    return known
  }
  return { evaluate: remembering, identityLoss }
}

function checkScale(scale: Float32Array, producerRow: Int32Array, who: string): void {
  if (scale.length !== producerRow.length) {
    throw new AwqError('INVALID_ARGUMENT', `${who} gave ${scale.length} scales for ${producerRow.length} columns`)
  }
  const byRow = new Map<number, number>()
  scale.forEach((value, column) => {
    if (!(value > 0 && value < Number.POSITIVE_INFINITY)) {
      throw new AwqError('INVALID_ARGUMENT', `${who} gave the scale ${value} for column ${column}: it must be positive`)
    }
    const row = producerRow[column]!
    const other = byRow.get(row) ?? value
    if (other !== value) {
      throw new AwqError(
        'INVALID_ARGUMENT',
        `${who} gave column ${column} the scale ${value} and another column of producer row ${row} ${other}: ` +
          'columns of one producer row need one scale',
      )
    }
    byRow.set(row, value)
  })
}
