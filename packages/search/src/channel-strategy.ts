import { effectiveGroupSize } from '@awq/quantize'
import { AwqError } from '@awq/tensor'
import { alphaStrategy } from './alpha-strategy.ts'
import { openChannelMoves } from './channel-moves.ts'
import { betterChoice, leastLoss, type ScaleContext, type ScaleStrategy } from './strategy.ts'

/** The factors that {@link channelStrategy} tries on each channel's scale: 0.5, 0.6 ... 1.5. */
export const CHANNEL_FACTORS: readonly number[] = Array.from({ length: 11 }, (_, index) => (5 + index) / 10)

/** Options of {@link channelStrategy}. */
export interface ChannelOptions {
  /** What each channel's scale is multiplied by, to try; default {@link CHANNEL_FACTORS}. */
  readonly factors?: readonly number[] | undefined
  /** How often all channels are gone through; default 1. */
  readonly passes?: number | undefined
  /** Where to start; default {@link alphaStrategy}. */
  readonly start?: ScaleStrategy | undefined
}

/**
 * A grid of scales for every channel on its own, as a coordinate search on the linear objective: channel by channel (or
 * producer's row by row, where several columns share one), the factor that lowers tr(E G E^T) most, all other scales
 * held. A move changes the errors of its own quantization groups only, so its effect on the loss of the whole is found
 * exactly from these groups' columns and is never estimated.
 *
 * Source: the grid s in [0.5, 1.5] per channel is this project's own; the objective is AWQ's (arXiv 2306.00978, eq. 4).
 * Work: factors * rows * width * group size multiplications and as many roundings for each pass, so groups of a whole
 * row take long.
 *
 * @throws AwqError INVALID_ARGUMENT for factors that are not positive, or no passes; its search rejects with
 *   `signal.reason`.
 */
export function channelStrategy(options: ChannelOptions = {}): ScaleStrategy {
  const { passes = 1, start = alphaStrategy() } = options
  const factors = (options.factors ?? CHANNEL_FACTORS).filter((factor) => factor !== 1)
  const wrong = factors.find((factor) => !(factor > 0 && factor < Number.POSITIVE_INFINITY))
  if (wrong !== undefined || factors.length === 0 || !Number.isSafeInteger(passes) || passes < 1) {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `a search by channel needs positive factors and passes, not ${factors.join(', ')} in ${passes} passes`,
    )
  }
  return {
    name: 'channel',
    options: { factors, passes, start: { name: start.name, ...start.options } },
    async search(context) {
      const first = await start.search(context)
      return betterChoice(context, first, await descend(context, first.scale, factors, passes))
    },
  }
}

/** Columns of one producer row, which move together. */
type Unit = readonly number[]

/** Units whose columns lie in the same quantization groups, one set of groups after the other. */
export function unitsByGroups(producerRow: Int32Array, groupSize: number): Map<string, Unit[]> {
  const units = new Map<number, number[]>()
  producerRow.forEach((row, column) => {
    const unit = units.get(row)
    if (unit) unit.push(column)
    else units.set(row, [column])
  })
  const sets = new Map<string, Unit[]>()
  for (const unit of units.values()) {
    const key = [...new Set(unit.map((column) => Math.floor(column / groupSize)))].join()
    const set = sets.get(key)
    if (set) set.push(unit)
    else sets.set(key, [unit])
  }
  return sets
}

async function descend(
  context: ScaleContext,
  start: Float32Array,
  factors: readonly number[],
  passes: number,
): Promise<Float32Array> {
  const { producerRow, width, spec, signal, onProgress } = context
  const sets = unitsByGroups(producerRow, effectiveGroupSize(spec.groupSize, width))
  const scale = start.slice()
  const moves = await openChannelMoves(context, scale)
  const total = passes * sets.size
  let done = 0
  try {
    for (let pass = 0; pass < passes; pass++) {
      for (const [key, units] of sets) {
        const window = await moves.open(key.split(',').map(Number), scale)
        for (const unit of units) {
          signal?.throwIfAborted()
          const candidates = factors.map((factor) => {
            const candidate = window.scale.slice()
            for (const column of unit) candidate[window.indexOf(column)]! *= factor
            return candidate
          })
          const changes = await window.changes(candidates)
          const best = leastLoss(changes)
          if (best >= 0 && changes[best]! < 0) await window.take(candidates[best]!)
        }
        for (const unit of units) {
          for (const column of unit) scale[column] = window.scale[window.indexOf(column)]!
        }
        window.close()
        onProgress?.({ done: ++done, total })
      }
    }
    return scale
  } finally {
    moves.dispose()
  }
}
