/**
 * A run of the decoder that is bound to a cache's buffers once and done for many tokens.
 * @module
 */
import { type AttentionForm, type ModelDescription, rewriteSequence, sequenceFeeds, type TokenGroup } from '@awq/models'
import { type Session, type Tensor, tensor, zeros } from '@awq/ort'
import type { KeyValueCache } from './cache.ts'
import type { RopeFeeds } from './rope-feeds.ts'

/** What a step is bound to. */
export interface StepParts {
  readonly session: Session
  readonly description: ModelDescription
  readonly attention: AttentionForm
  readonly cache: KeyValueCache
  readonly rope: RopeFeeds
}

/** What a step has of images. */
export interface StepImages {
  /** Rows that ids past the vocabulary stand for, as the graph takes them; for graphs of models that see. */
  readonly features?: Tensor | undefined
  /** Which tokens see each other, in the plain form of attention. */
  readonly groups?: readonly TokenGroup[] | undefined
}

/** A step of a fixed number of tokens. */
export interface BoundStep {
  /** The cache's buffers that it was bound to: of no use once the cache has others. */
  readonly past: KeyValueCache['past']
  /** Runs the tokens after the cache's length and takes them into the cache; logits `[rows, vocab]`. */
  run(ids: readonly number[], signal: AbortSignal | undefined): Promise<Float32Array>
  dispose(): void
}

/**
 * Binds a step of `count` tokens with the logits of the last `rows` of them, written to `into` where that is given, else
 * to an array that every run overwrites. The cache must have room for the tokens.
 * @param length tokens of the whole sequence, where rotary tables depend on it
 */
export const bindStep = (
  { session, description, attention, cache, rope }: StepParts,
  count: number,
  rows: number,
  length: number,
  into?: Float32Array,
  { features, groups }: StepImages = {},
): BoundStep => {
  const { past, capacity } = cache
  const { config } = description
  const ids = zeros('int64', [1, count])
  const positions = () => ({ past: cache.length, length: count, capacity, groups })
  const sequence = sequenceFeeds(description, attention, positions(), 1, true)
  const logits = into ?? new Float32Array(rows * config.vocabSize)
  const targets = cache.targets(count)
  const bound = session.bind(
    {
      input_ids: ids,
      logits_from: tensor('int64', [1], BigInt64Array.of(BigInt(count - rows))),
      ...(features ? { features } : {}),
      ...rope(capacity + count, length),
      ...sequence,
      ...past,
    },
    { into: { ...targets, logits: tensor('float32', [1, rows, config.vocabSize], logits) } },
  )
  return {
    past,
    async run(tokens, signal) {
      const data = ids.data as BigInt64Array
      for (let i = 0; i < count; i++) data[i] = BigInt(tokens[i]!)
      rewriteSequence(sequence, description, positions())
      await bound.run({ signal })
      await cache.append(targets, count)
      return logits
    },
    dispose: () => bound.dispose(),
  }
}
