/**
 * Rotary tables that the conversations of a model share.
 * @module
 */
import { type ActivationType, type AttentionForm, type ModelDescription, ropeFeeds } from '@awq/models'
import type { Engine, Feeds } from '@awq/ort'
import { bucket } from './cache.ts'

/** Feeds `rope.cos`, `rope.sin` and those of further tables for at least so many positions. */
export type RopeFeeds = (positions: number) => Feeds

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
  let made = bucket / 2
  let feeds: Feeds | undefined
  return (positions) => {
    if (!feeds || made < positions) {
      made = Math.max(positions, 2 * made)
      const tables = ropeFeeds(description, attention, made, dtype)
      feeds = engine?.features.deviceTensors
        ? Object.fromEntries(Object.entries(tables).map(([name, table]) => [name, engine.upload(table)]))
        : tables
    }
    return feeds
  }
}
