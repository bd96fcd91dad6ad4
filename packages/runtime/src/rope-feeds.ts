/**
 * Rotary tables that the conversations of a model share.
 * @module
 */
import { type ActivationType, type AttentionForm, type ModelDescription, ropeFeeds } from '@awq/models'
import type { Engine, Feeds } from '@awq/ort'
import { bucket } from './cache.ts'

/** Feeds `rope.cos` and `rope.sin` for at least so many positions. */
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
      const tables = ropeFeeds(description.config, attention, made, dtype)
      feeds = engine?.features.deviceTensors
        ? { 'rope.cos': engine.upload(tables['rope.cos']), 'rope.sin': engine.upload(tables['rope.sin']) }
        : tables
    }
    return feeds
  }
}
