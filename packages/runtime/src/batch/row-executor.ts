/**
 * Slots as rows of one memory: a step of all of them is one run.
 * @module
 */
import type { ActivationType, ModelDescription } from '@awq/models'
import { type Session, zeros } from '@awq/ort'
import { bucket } from '../cache.ts'
import type { RopeFeeds } from '../rope-feeds.ts'
import { hasImages, imageRun } from '../vision/image-tokens.ts'
import type { SeenImages } from '../vision/seen-images.ts'
import type { BatchExecutor } from './executor.ts'
import { createRowMemory } from './row-memory.ts'
import { bindRowStep, type RowStep } from './row-step.ts'

/** What the executor is made with. */
export interface RowExecutorOptions {
  /** The decoder with the fused form of attention, on an engine that writes outputs in place. */
  readonly session: Session
  readonly description: ModelDescription
  readonly dtype: ActivationType
  readonly rope: RopeFeeds
  readonly slots: number
  readonly cacheTokens: number
  /** Tokens of one slot at most. */
  readonly contextLength: number
  /** Tokens of a prompt that run at once. */
  readonly chunk: number
  /** What ids past the vocabulary stand for, with a graph that was emitted for images. */
  readonly images?: SeenImages | undefined
}

/** Scores that one run may hold, elements: attention on the CPU makes its rows whole. */
const scoresAtOnce = 2 ** 24
/** Tokens that run at once however long the rows are. */
const leastChunk = 16
/** Steps that stay bound. */
const keptSteps = 24
/** Steps of one slot stay bound up to so many tokens. */
const keptLength = 16

/** Slots that nobody used yet. */
export const createRowExecutor = (options: RowExecutorOptions): BatchExecutor => {
  const { session, description, dtype, rope, slots, cacheTokens, contextLength, chunk, images } = options
  const { vocabSize, heads, hiddenSize } = description.config
  const textOnly = images ? { features: zeros(dtype, [1, hiddenSize]) } : {}
  const shapes = description.blocks.map(({ attention: { kvHeads, headDim, valueDim } }) => ({
    kvHeads,
    headDim,
    valueDim,
  }))
  const memory = createRowMemory(shapes, dtype)
  const lengths: number[] = new Array(slots).fill(0)
  let needed: readonly number[] = lengths.map(() => 0)
  /** One row of logits for each slot; and for steps over slots whose row somebody may still read. */
  const logits = new Float32Array(slots * vocabSize)
  let aside = new Float32Array(0)
  /** Logits of several tokens of a slot. */
  const several = new Map<number, Float32Array>()
  const parts = { session, description, memory, rope }
  const steps = new Map<string, RowStep>()

  const forgetSteps = (): void => {
    for (const step of steps.values()) step.dispose()
    steps.clear()
  }

  const step = (key: string, bind: () => RowStep): RowStep => {
    const known = steps.get(key)
    if (known) return known
    if (steps.size >= keptSteps) forgetSteps()
    const made = bind()
    steps.set(key, made)
    return made
  }

  const used = (needs: readonly number[]): number => needs.findLastIndex((need) => need > 0) + 1
  const fits = (needs: readonly number[]): boolean => used(needs) * Math.max(0, ...needs) <= cacheTokens

  /** Tokens of a slot: twice what is there where that is not too much for so many, in whole buckets where it can be. */
  const capacityFor = (most: number, count: number): number => {
    const allowed = Math.min(contextLength, Math.floor(cacheTokens / count))
    if (memory.capacity >= most && memory.capacity <= allowed) return memory.capacity
    const wish = memory.capacity < most ? Math.max(most, Math.min(2 * memory.capacity, 2 * most)) : most
    return Math.max(most, Math.min(allowed, Math.ceil(wish / bucket) * bucket))
  }

  const row = (slot: number): Float32Array => logits.subarray(slot * vocabSize, (slot + 1) * vocabSize)

  const drafts = (slot: number, rows: number): Float32Array => {
    let room = several.get(slot)
    if (!room || room.length < rows * vocabSize) {
      // Steps are bound to the one before.
      if (room) forgetSteps()
      room = new Float32Array(rows * vocabSize)
      several.set(slot, room)
    }
    return room.subarray(0, rows * vocabSize)
  }

  return {
    slots,
    copies: true,
    get chunk() {
      return Math.min(chunk, Math.max(leastChunk, Math.floor(scoresAtOnce / (heads * Math.max(1, memory.capacity)))))
    },
    get usedTokens() {
      return memory.tokens
    },
    length: (slot) => lengths[slot]!,
    truncate(slot, length) {
      lengths[slot] = Math.min(length, lengths[slot]!)
    },
    fits,
    async reserve(needs) {
      needed = needs
      const count = used(needs)
      const capacity = capacityFor(Math.max(1, ...needs), Math.max(1, count))
      if (capacity === memory.capacity && count <= memory.slots) return
      forgetSteps()
      const tokens = Math.max(memory.tokens, Math.min(cacheTokens, Math.max(count * capacity, 2 * memory.tokens)))
      const most = Math.min(slots, Math.floor((count * capacity > memory.tokens ? tokens : memory.tokens) / capacity))
      await memory.layOut(Math.max(count, most), capacity, lengths)
      for (let slot = 0; slot < slots; slot++) {
        lengths[slot] = slot < memory.slots ? Math.min(lengths[slot]!, capacity) : 0
      }
    },
    async decode(wanted, ids) {
      const first = wanted[0]!
      const count = wanted.at(-1)! - first + 1
      const range = Array.from({ length: count }, (_, i) => first + i)
      const others = range.filter((slot) => !wanted.includes(slot))
      const read = others.some((slot) => needed[slot])
      if (read && aside.length < count * vocabSize) {
        forgetSteps()
        aside = new Float32Array(slots * vocabSize)
      }
      // What is computed for others lands behind their last row, or on it where there is no room behind.
      for (const slot of others) lengths[slot] = Math.min(lengths[slot]!, memory.capacity - 1)
      const into = read
        ? aside.subarray(0, count * vocabSize)
        : logits.subarray(first * vocabSize, (first + count) * vocabSize)
      const bound = step(`${first} ${count} ${read}`, () =>
        bindRowStep(parts, { first, count, tokens: 1, rows: 1, logits: into, ...textOnly }),
      )
      const given = new Array<number>(count).fill(0)
      for (const [i, slot] of wanted.entries()) given[slot - first] = ids[i]!
      await bound.run(
        given,
        range.map((slot) => lengths[slot]!),
      )
      for (const slot of wanted) {
        lengths[slot]!++
        if (read) row(slot).set(aside.subarray((slot - first) * vocabSize, (slot - first + 1) * vocabSize))
      }
      return wanted.map(row)
    },
    async append(slot, ids, rows) {
      const tokens = ids.length
      const wanted = Math.max(1, rows)
      const values = wanted > 1 ? drafts(slot, wanted) : row(slot)
      const seen =
        images && hasImages(ids, vocabSize) ? imageRun(ids, { vocabSize, hiddenSize, dtype, images }) : undefined
      const features = seen ? { features: seen.features } : textOnly
      const bind = (): RowStep =>
        bindRowStep(parts, { first: slot, count: 1, tokens, rows: wanted, logits: values, ...features })
      if (tokens <= keptLength && !seen) await step(`${slot} of ${tokens} ${wanted}`, bind).run(ids, [lengths[slot]!])
      else {
        const once = bind()
        try {
          await once.run(seen?.ids ?? ids, [lengths[slot]!])
        } finally {
          once.dispose()
        }
      }
      lengths[slot]! += tokens
      return values
    },
    async copy(from, to, start, end) {
      await memory.copy(from, to, start, end)
      lengths[to] = end
    },
    async exchange(a, b) {
      await memory.exchange(a, b, lengths[a]!, lengths[b]!)
      const rows = lengths[a]!
      lengths[a] = lengths[b]!
      lengths[b] = rows
      needed = needed.map((need, slot) => (slot === a ? needed[b]! : slot === b ? needed[a]! : need))
    },
    dispose() {
      forgetSteps()
      memory.dispose()
    },
  }
}
