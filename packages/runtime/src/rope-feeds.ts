/**
 * Rotary tables that the conversations of a model share.
 * @module
 */
import { type ActivationType, type AttentionForm, type ModelDescription, ropeFeeds } from '@awq/models'
import type { Engine, Feeds } from '@awq/ort'
import { bucket } from './cache.ts'
import { regimeOf } from './rope-regime.ts'

/** Feeds `rope.cos`, `rope.sin` and those of further tables for at least so many positions, in a sequence of `length` tokens. */
export type RopeFeeds = (positions: number, length: number) => Feeds

/** Regimes whose tables are kept. */
const keptRegimes = 2

/**
 * Rotary tables for as many positions as asked for; they double, so that growing costs little. With an engine that has
 * tensors on its device, they are uploaded.
 */
export const growingRopeFeeds = (
  description: ModelDescription,
  attention: AttentionForm,
  options: { readonly dtype?: ActivationType | undefined; readonly engine?: Engine | undefined } = {},
): RopeFeeds => {
  const { dtype, engine } = options
  const known = new Map<string, { readonly made: number; readonly feeds: Feeds }>()
  return (positions, length) => {
    const regime = regimeOf(description, length)
    const before = known.get(regime)
    if (before && before.made >= positions) return before.feeds
    const made = Math.max(positions, 2 * (before?.made ?? bucket / 2))
    const tables = ropeFeeds(description, attention, made, dtype, length)
    const feeds: Feeds = engine?.features.deviceTensors
      ? Object.fromEntries(Object.entries(tables).map(([name, table]) => [name, engine.upload(table)]))
      : tables
    known.delete(regime)
    if (known.size >= keptRegimes) known.delete([...known.keys()][0]!)
    known.set(regime, { made, feeds })
    return feeds
  }
}
