/**
 * Texts with a target as token ids.
 * @module
 */
import type { Tokenizer } from '@awq/text'
import type { TargetItem } from './task.ts'

/** Token ids of a context and its target. */
export interface TargetIds {
  readonly ids: Int32Array
  /** Place of the target's first token, 1 or more. */
  readonly start: number
}

/**
 * Encodes context and target as one text, after the begin-of-sequence token where tokenizer.json adds one. The target is
 * what differs from the encoding of the context alone. A text longer than the model's context loses its beginning.
 */
export const encodeTarget = (
  tokenizer: Tokenizer,
  { context, target }: TargetItem,
  contextLength: number,
): TargetIds => {
  const adds = tokenizer.bosId !== undefined && tokenizer.encode('', { addSpecialTokens: true })[0] === tokenizer.bosId
  const prefix = adds ? [tokenizer.bosId as number] : []
  const whole = [...prefix, ...tokenizer.encode(context + target)]
  const before = [...prefix, ...tokenizer.encode(context)]
  let start = 0
  while (start < before.length && start < whole.length - 1 && before[start] === whole[start]) start++
  // The last token is only predicted, not read.
  const cut = Math.max(0, whole.length - 1 - contextLength)
  return { ids: Int32Array.from(whole.slice(cut)), start: Math.max(1, start - cut) }
}

/** Items that run together, padded to one length. */
export interface TargetBatch {
  /** Places of its items in the list they were given in. */
  readonly items: readonly number[]
  /** Tokens read of each. */
  readonly length: number
}

/**
 * Batches of items of about the same length, each of at most `tokensPerRun` tokens (one item at least). Padding stands
 * behind the tokens, where causal attention does not see it.
 * @param lengths tokens read of each item
 */
export const batchTargets = (lengths: readonly number[], tokensPerRun: number): TargetBatch[] => {
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[a]! - lengths[b]! || a - b)
  const batches: { items: number[]; length: number }[] = []
  for (const item of order) {
    const length = lengths[item]!
    const last = batches.at(-1)
    if (last && (last.items.length + 1) * length <= tokensPerRun) {
      last.items.push(item)
      last.length = length
    } else batches.push({ items: [item], length })
  }
  return batches
}
