/**
 * A decoder session with a cache: tokens in, logits out. Many conversations may share one session.
 * @module
 */
import type { ActivationType, AttentionForm, ModelDescription, TokenGroup } from '@awq/models'
import { type Engine, kernelsOf, type Session, zeros } from '@awq/ort'
import { AwqError } from '@awq/tensor'
import { type BoundStep, bindStep, type StepImages } from './bound-step.ts'
import { createCache } from './cache.ts'
import { turnEventLoop } from './event-loop.ts'
import { prefillChunk } from './prefill-chunk.ts'
import { growingRopeFeeds, type RopeFeeds } from './rope-feeds.ts'
import { regimeOf } from './rope-regime.ts'
import type { Conversation } from './token-model.ts'
import { createImageRopes, hasThreeParts, type ImageRopes } from './vision/image-ropes.ts'
import { hasImages, imageRun, runEnd, tokenGroups } from './vision/image-tokens.ts'
import type { SeenImages } from './vision/seen-images.ts'

/** Scores that one run may hold, elements: attention on the CPU makes its rows whole. */
const scoresAtOnce = 2 ** 24
/** Tokens that run at once however long the rows are. */
const leastChunk = 16

/** Steps of at most so many tokens stay bound: single tokens, and the drafts that speculative decoding verifies. */
const keptLength = 16
/** Steps that stay bound. */
const keptSteps = 8

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
  /** What ids past the vocabulary stand for, with a graph that was emitted for images. */
  readonly images?: SeenImages | undefined
}

/** An empty conversation over a decoder session (graph: `emitDecoder` of @awq/models). */
export const createConversation = (
  session: Session,
  description: ModelDescription,
  options: ConversationOptions,
): Conversation => {
  const { engine, attention, dtype = 'float32', expected, chunk = prefillChunk, images } = options
  const { config, vision } = description
  const { vocabSize, hiddenSize } = config
  const { contextLength = config.contextLength } = options
  const caches = description.blocks.map(({ attention: { kvHeads, headDim, valueDim } }) => ({
    kvHeads,
    headDim,
    valueDim,
  }))
  const shared = options.rope ?? growingRopeFeeds(description, attention, { dtype, engine })
  /** Tables of this conversation, from its first image on, where tokens of images have positions of their own. */
  let ownRopes: ImageRopes | undefined
  const rope: RopeFeeds = (positions, length) => ownRopes?.feeds(positions) ?? shared(positions, length)
  const textOnly: StepImages = images ? { features: zeros(dtype, [1, hiddenSize]) } : {}
  const device = engine.features.deviceTensors ? engine : undefined
  const rest = engine.features.asyncRun ? async () => {} : turnEventLoop
  const { emptyValues, wholeScores } = kernelsOf(engine.device)
  const leastSlots = emptyValues ? 0 : 1
  const cache = createCache(caches, { form: attention, dtype, contextLength, expected, device, leastSlots })
  const steps = new Map<string, BoundStep>()
  /** Which rotary tables the cache's keys were turned by, and the tokens that it holds where there are several. */
  let regime = regimeOf(description, 0)
  const known: number[] = []
  /** Tokens of a prompt see each other: with other tokens behind them they are made anew. */
  const prefixed = images !== undefined && vision?.attention === 'prefix'
  let prefixEnd = 0
  const remembers = regime !== '' || prefixed
  /** Tokens known that are not in the cache: it was emptied to be made anew. */
  let owed = 0
  let busy = false
  let disposed = false

  const forgetSteps = (): void => {
    for (const step of steps.values()) step.dispose()
    steps.clear()
  }
  /** Says where tokens stand, where that is not their number. */
  const place = (ids: readonly number[], count: number): void => {
    if (!ownRopes && images && hasThreeParts(description) && hasImages(ids, vocabSize)) {
      forgetSteps()
      ownRopes = createImageRopes(description, images, attention, dtype)
    }
    if (!ownRopes) return
    const before = ownRopes.feeds(0)
    ownRopes.place(cache.length, ids)
    if (ownRopes.feeds(cache.capacity + count) !== before) forgetSteps()
  }
  const free = (): void => {
    forgetSteps()
    cache.dispose()
  }

  /** Appends tokens in one run. */
  const runChunk = async (
    ids: readonly number[],
    rows: number,
    length: number,
    signal: AbortSignal | undefined,
    into?: Float32Array,
    groups?: readonly TokenGroup[],
  ): Promise<Float32Array> => {
    const count = ids.length
    const { past } = cache
    await cache.reserve(count)
    if (cache.past !== past) forgetSteps()
    place(ids, count)
    const seen =
      images && hasImages(ids, vocabSize) ? imageRun(ids, { vocabSize, hiddenSize, dtype, images }) : undefined
    const own: StepImages = seen ? { features: seen.features, groups } : { ...textOnly, groups }
    const bind = () => bindStep({ session, description, attention, cache, rope }, count, rows, length, into, own)
    if (into || count > keptLength || seen || groups?.length) {
      const step = bind()
      try {
        return await step.run(seen?.ids ?? ids, signal)
      } finally {
        step.dispose()
      }
    }
    const key = `${count} ${rows}`
    let step = steps.get(key)
    if (step?.past !== cache.past) {
      if (steps.size >= keptSteps || step) forgetSteps()
      step = bind()
      steps.set(key, step)
    }
    return step.run(ids, signal)
  }

  const check = (ids: readonly number[]): void => {
    if (disposed) throw new AwqError('INVALID_ARGUMENT', 'This conversation was disposed; start another.')
    if (busy) throw new AwqError('INVALID_ARGUMENT', 'This conversation is being extended; wait for that to end.')
    if (ids.length === 0) {
      throw new AwqError('INVALID_ARGUMENT', 'A conversation is extended by at least one token.')
    }
    const held = cache.length + owed
    if (held + ids.length > contextLength) {
      throw new AwqError(
        'INVALID_ARGUMENT',
        `The context of ${contextLength} tokens is full: ${held} are in use, ${ids.length} were to be added. ` +
          'Shorten the conversation.',
      )
    }
  }

  /** Tokens of the next run: fewer where the rows of scores are long, never more than of the run before. */
  const chunkNow = (): number => {
    if (!wholeScores) return chunk
    const row = config.heads * Math.max(cache.capacity, cache.length + chunk)
    return Math.min(chunk, Math.max(leastChunk, Math.floor(scoresAtOnce / row)))
  }

  /** Where a sequence of `length` tokens has other rotary tables than the cache's keys were turned by, these are made anew. */
  const restart = async (length: number, signal: AbortSignal | undefined): Promise<void> => {
    const now = regimeOf(description, length)
    if (now !== regime) {
      forgetSteps()
      owed += cache.length
      cache.truncate(0)
      regime = now
    }
    const groups = owed > 0 ? groupsOf(known.slice(0, owed), 0) : []
    while (owed > 0) {
      signal?.throwIfAborted()
      const end = runEnd(cache.length, cache.length + owed, chunkNow(), groups)
      const part = known.slice(cache.length, end)
      await runChunk(part, 1, length, signal, undefined, groups)
      owed -= part.length
      await rest()
    }
  }

  const groupsOf = (ids: readonly number[], past: number): readonly TokenGroup[] =>
    images && vision ? tokenGroups(ids, past, vision.attention, vocabSize) : []

  const extendNow = async (
    ids: readonly number[],
    { signal, logits = 'last' }: Parameters<Conversation['extend']>[1],
  ): Promise<Float32Array> => {
    if (prefixed && owed > 0) {
      const again = known.slice(0, owed)
      owed = 0
      const rows = await extendNow([...again, ...ids], { signal, logits })
      return logits === 'all' ? rows.subarray(again.length * vocabSize) : rows
    }
    const length = cache.length + owed + ids.length
    await restart(length, signal)
    const first = cache.length
    const groups = groupsOf(ids, first)
    if (prefixed && groups.length > 0) prefixEnd = first + ids.length
    const whole = runEnd(first, first + ids.length, chunkNow(), groups) === first + ids.length
    const all = logits === 'all' && !whole ? new Float32Array(ids.length * vocabSize) : undefined
    let last: Float32Array | undefined
    for (let at = 0, count: number; at < ids.length; at += count) {
      signal?.throwIfAborted()
      const part = ids.slice(at, runEnd(first + at, first + ids.length, chunkNow(), groups) - first)
      count = part.length
      const rows = logits === 'all' ? part.length : 1
      if (remembers) known.splice(cache.length, Number.POSITIVE_INFINITY, ...part)
      const into = all?.subarray(at * vocabSize, (at + rows) * vocabSize)
      last = await runChunk(part, rows, length, signal, into, groups)
      await rest()
    }
    return all ?? last!
  }

  return {
    get length() {
      return cache.length + owed
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
      if (prefixed && length < prefixEnd) {
        owed = length
        prefixEnd = 0
        cache.truncate(0)
        return
      }
      const missing = length - cache.length
      if (missing <= 0 || missing > owed) cache.truncate(length)
      owed = Math.max(0, missing)
    },
    dispose() {
      if (disposed) return
      disposed = true
      if (!busy) free()
    },
  }
}
