/**
 * A decoder session with its cache: tokens in, logits out, one conversation at a time or many side by side.
 * @module
 */
import {
  type ActivationType,
  type AttentionForm,
  type ModelDescription,
  rewriteSequence,
  sequenceFeeds,
} from '@awq/models'
import { type BoundRun, type Engine, type Session, tensor, zeros } from '@awq/ort'
import { AwqError } from '@awq/tensor'
import { createCache, type KeyValueCache } from './cache.ts'
import { turnEventLoop } from './event-loop.ts'
import { growingRopeFeeds, type RopeFeeds } from './rope-feeds.ts'
import type { Conversation } from './token-model.ts'

/** Tokens of a prompt that run at once. Larger chunks need more memory for the scores, smaller ones more runs. */
export const prefillChunk = 256

/** Scores that one run may hold, elements: attention on the CPU makes its rows whole. */
const scoresAtOnce = 2 ** 24
/** Tokens that run at once however long the rows are. */
const leastChunk = 16

/** Runs of at most so many tokens are kept prepared: steps, and the drafts that speculative decoding verifies. */
const keptLength = 16
/** Prepared runs that are kept. */
const keptRuns = 8

/** What a conversation needs to know of its session. */
export interface ConversationOptions {
  /** The engine that the session is of. */
  readonly engine: Engine
  /** The form of attention that the graph was emitted with. */
  readonly attention: AttentionForm
  /** The graph's type of activations and cache, float32 by default. */
  readonly dtype?: ActivationType | undefined
  /** Tokens that fit; the model's own context by default. */
  readonly contextLength?: number | undefined
  /** Tokens expected: the cache has room for them at once instead of growing. */
  readonly expected?: number | undefined
  /** Tokens of a prompt that run at once. */
  readonly chunk?: number | undefined
  /** Rotary tables, where several conversations share them. */
  readonly rope?: RopeFeeds | undefined
}

/** A run that is bound to its buffers. */
interface PreparedRun {
  /** The cache's buffers that it was bound to. */
  readonly past: KeyValueCache['past']
  /** Runs the tokens after the cache's length and takes them into the cache; logits `[rows, vocab]`. */
  step(ids: readonly number[], signal: AbortSignal | undefined): Promise<Float32Array>
  dispose(): void
}

/** Prepares runs of `count` tokens with the logits of the last `rows` of them, written to `logits` where that is given. */
const prepareRun = (
  session: Session,
  { config }: ModelDescription,
  attention: AttentionForm,
  cache: KeyValueCache,
  rope: RopeFeeds,
  count: number,
  rows: number,
  given?: Float32Array,
): PreparedRun => {
  const { past, capacity } = cache
  const ids = zeros('int64', [1, count])
  const positions = () => ({ past: cache.length, length: count, capacity })
  const sequence = sequenceFeeds(config, attention, positions())
  const logits = given ?? new Float32Array(rows * config.vocabSize)
  const targets = cache.targets(count)
  const bound: BoundRun = session.bind(
    {
      input_ids: ids,
      logits_from: tensor('int64', [1], BigInt64Array.of(BigInt(count - rows))),
      ...rope(capacity + count),
      ...sequence,
      ...past,
    },
    { into: { ...targets, logits: tensor('float32', [1, rows, config.vocabSize], logits) } },
  )
  return {
    past,
    async step(tokens, signal) {
      const data = ids.data as BigInt64Array
      for (let i = 0; i < count; i++) data[i] = BigInt(tokens[i]!)
      rewriteSequence(sequence, config, positions())
      await bound.run({ signal })
      await cache.append(targets, count)
      return logits
    },
    dispose: () => bound.dispose(),
  }
}

/** An empty conversation over a decoder session (graph: `emitDecoder` of @awq/models). */
export const createConversation = (
  session: Session,
  description: ModelDescription,
  options: ConversationOptions,
): Conversation => {
  const { engine, attention, dtype, expected, chunk = prefillChunk } = options
  const { config } = description
  const { contextLength = config.contextLength } = options
  const rope = options.rope ?? growingRopeFeeds(description, attention, { dtype, engine })
  const device = engine.features.deviceTensors ? engine : undefined
  const rest = engine.features.asyncRun ? async () => {} : turnEventLoop
  const leastSlots = engine.device === 'cpu' ? 0 : 1
  const cache = createCache(config, { form: attention, dtype, contextLength, expected, device, leastSlots })
  const prepared = new Map<string, PreparedRun>()
  let busy = false
  let disposed = false

  const forgetRuns = (): void => {
    for (const run of prepared.values()) run.dispose()
    prepared.clear()
  }
  const free = (): void => {
    forgetRuns()
    cache.dispose()
  }

  /** Appends tokens in one run. */
  const runChunk = async (
    ids: readonly number[],
    rows: number,
    signal: AbortSignal | undefined,
    into?: Float32Array,
  ): Promise<Float32Array> => {
    const count = ids.length
    const { past } = cache
    await cache.reserve(count)
    if (cache.past !== past) forgetRuns()
    const make = () => prepareRun(session, description, attention, cache, rope, count, rows, into)
    if (into || count > keptLength) {
      const run = make()
      try {
        return await run.step(ids, signal)
      } finally {
        run.dispose()
      }
    }
    const key = `${count} ${rows}`
    let run = prepared.get(key)
    if (run?.past !== cache.past) {
      if (prepared.size >= keptRuns || run) forgetRuns()
      run = make()
      prepared.set(key, run)
    }
    return run.step(ids, signal)
  }

  const check = (ids: readonly number[]): void => {
    if (disposed) throw new AwqError('INVALID_ARGUMENT', 'This conversation was disposed; start another.')
    if (busy) throw new AwqError('INVALID_ARGUMENT', 'This conversation is being extended; wait for that to end.')
    if (ids.length === 0) {
      throw new AwqError('INVALID_ARGUMENT', 'A conversation is extended by at least one token.')
    }
    if (cache.length + ids.length > contextLength) {
      throw new AwqError(
        'INVALID_ARGUMENT',
        `The context of ${contextLength} tokens is full: ${cache.length} are in use, ${ids.length} were to be added. ` +
          'Shorten the conversation.',
      )
    }
  }

  /** Tokens of the next run: fewer where the rows of scores are long. */
  const chunkNow = (): number => {
    if (engine.device !== 'cpu') return chunk
    const row = config.heads * Math.max(cache.capacity, cache.length + chunk)
    return Math.min(chunk, Math.max(leastChunk, Math.floor(scoresAtOnce / row)))
  }

  const extendNow = async (
    ids: readonly number[],
    { signal, logits = 'last' }: Parameters<Conversation['extend']>[1],
  ): Promise<Float32Array> => {
    const { vocabSize } = config
    const all = logits === 'all' && ids.length > chunk ? new Float32Array(ids.length * vocabSize) : undefined
    let last: Float32Array | undefined
    for (let at = 0, count: number; at < ids.length; at += count) {
      signal?.throwIfAborted()
      const part = ids.slice(at, at + chunkNow())
      count = part.length
      const rows = logits === 'all' ? part.length : 1
      last = await runChunk(part, rows, signal, all?.subarray(at * vocabSize, (at + rows) * vocabSize))
      await rest()
    }
    return all ?? last!
  }

  return {
    get length() {
      return cache.length
    },
    async extend(ids, extension) {
      check(ids)
      busy = true
      try {
        return await extendNow(ids, extension)
      } finally {
        busy = false
        if (disposed) free()
      }
    },
    truncate(length) {
      if (busy) throw new AwqError('INVALID_ARGUMENT', 'This conversation is being extended; wait for that to end.')
      cache.truncate(length)
    },
    dispose() {
      if (disposed) return
      disposed = true
      if (!busy) free()
    },
  }
}
