/**
 * A decoder session with its cache: tokens in, logits out, one conversation at a time or many side by side.
 * @module
 */
import { type AttentionForm, type ModelDescription, ropeFeeds, sequenceFeeds } from '@awq/models'
import { type Session, type Tensor, tensor } from '@awq/ort'
import { AwqError } from '@awq/tensor'
import { bucket, createCache } from './cache.ts'
import type { Conversation } from './generation.ts'

/** Tokens of a prompt that run at once. Larger chunks need more memory for the scores, smaller ones more runs. */
export const prefillChunk = 256

/** Runs chunks of tokens through a decoder session. */
export interface TokenRunner {
  /** Appends at most `prefillChunk` tokens; gives the logits output of the graph. */
  step(ids: readonly number[], options?: { signal?: AbortSignal | undefined }): Promise<Float32Array>
  /** Tokens in the cache. */
  readonly length: number
  dispose(): void
}

/** Rotary tables for as many positions as asked for; they double, so that growing costs little. */
export const growingRopeFeeds = (
  description: ModelDescription,
): ((positions: number) => Readonly<Record<string, Tensor>>) => {
  let made = bucket / 2
  let feeds: Readonly<Record<string, Tensor>> | undefined
  return (positions) => {
    if (!feeds || made < positions) {
      made = Math.max(positions, 2 * made)
      feeds = ropeFeeds(description.config, made)
    }
    return feeds
  }
}

/** An empty conversation over a decoder session. `rope`, from `growingRopeFeeds`, may be shared. */
export const createRunner = (
  session: Session,
  description: ModelDescription,
  attention: AttentionForm,
  rope: (positions: number) => Readonly<Record<string, Tensor>>,
): TokenRunner => {
  const { config } = description
  let cache: ReturnType<typeof createCache> | undefined = createCache(config, attention)
  return {
    get length() {
      return cache?.length ?? 0
    },
    async step(ids, options = {}) {
      if (!cache) throw new AwqError('INVALID_ARGUMENT', 'This conversation was disposed; start another.')
      const past = cache.length
      const length = ids.length
      const cacheFeeds = cache.feeds(length)
      const { capacity } = cache
      const outputs = await session.run(
        {
          input_ids: tensor('int64', [1, length], BigInt64Array.from(ids, BigInt)),
          ...rope(Math.max(capacity, past + length)),
          ...sequenceFeeds(config, attention, { past, length, capacity }),
          ...cacheFeeds,
        },
        { into: cache.targets(), ...options },
      )
      cache.append(outputs, length)
      return outputs.logits?.data as Float32Array
    },
    dispose() {
      cache = undefined
    },
  }
}

/** The runner as a conversation: any number of tokens, in chunks; logits `[vocab]` of the last. */
export const createConversation = (
  runner: TokenRunner,
  vocabSize: number,
  rest: () => Promise<void> = async () => {},
): Conversation => ({
  async extend(ids, options) {
    let logits: Float32Array | undefined
    for (let at = 0; at < ids.length; at += prefillChunk) {
      options.signal?.throwIfAborted()
      logits = await runner.step(ids.slice(at, at + prefillChunk), options)
      await rest()
    }
    if (!logits) throw new AwqError('INVALID_ARGUMENT', 'A conversation is extended by at least one token.')
    return logits.length === vocabSize ? logits : logits.slice(-vocabSize)
  },
  dispose: () => runner.dispose(),
})

/**
 * Lets the event loop turn, so that an abort or a server's other requests get through between the runs of an engine
 * that blocks its thread.
 */
export const turnEventLoop = (): Promise<void> =>
  new Promise((resolve) => {
    const immediate = (globalThis as { setImmediate?: (callback: () => void) => unknown }).setImmediate
    if (immediate) immediate(resolve)
    else setTimeout(resolve, 0)
  })
