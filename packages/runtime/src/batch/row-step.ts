/**
 * A run of the decoder over slots that lie side by side, bound once and done for many tokens.
 * @module
 */
import { type ModelDescription, rewriteRows, sequenceFeeds } from '@awq/models'
import { type Session, type Tensor, tensor, zeros } from '@awq/ort'
import type { RopeFeeds } from '../rope-feeds.ts'
import type { RowMemory } from './row-memory.ts'

/** What a step is bound to. */
export interface RowStepParts {
  readonly session: Session
  readonly description: ModelDescription
  readonly memory: RowMemory
  readonly rope: RopeFeeds
}

/** Which slots and how many tokens. */
export interface RowStepShape {
  readonly first: number
  /** Slots. */
  readonly count: number
  /** Tokens of each; of no more than one slot where it is not 1. */
  readonly tokens: number
  /** How many of the last tokens' logits are wanted, `[count, rows, vocab]`. */
  readonly rows: number
  /** Where they are written. */
  readonly logits: Float32Array
  /** Rows that ids past the vocabulary stand for; for graphs of models that see. */
  readonly features?: Tensor | undefined
}

/** A bound step. */
export interface RowStep {
  /** Appends `ids` `[count, tokens]` behind `pasts[slot - first]` rows of each slot. */
  run(ids: readonly number[], pasts: readonly number[]): Promise<void>
  dispose(): void
}

/** Binds a step to the memory as it is laid out. */
export const bindRowStep = (
  { session, description, memory, rope }: RowStepParts,
  { first, count, tokens, rows, logits, features }: RowStepShape,
): RowStep => {
  const { capacity } = memory
  const ids = zeros('int64', [count, tokens])
  const sequence = sequenceFeeds(description, 'fused', { past: 0, length: tokens, capacity }, count, true)
  const bound = session.bind(
    {
      input_ids: ids,
      logits_from: tensor('int64', [1], BigInt64Array.of(BigInt(tokens - rows))),
      ...(features ? { features } : {}),
      ...rope(capacity, capacity),
      ...sequence,
      ...memory.views('past', first, count),
    },
    {
      into: {
        ...memory.views('present', first, count),
        logits: tensor('float32', [count, rows, description.config.vocabSize], logits),
      },
    },
  )
  return {
    async run(given, pasts) {
      const data = ids.data as BigInt64Array
      for (let i = 0; i < data.length; i++) data[i] = BigInt(given[i]!)
      rewriteRows(sequence, pasts, tokens)
      await bound.run()
    },
    dispose: () => bound.dispose(),
  }
}
