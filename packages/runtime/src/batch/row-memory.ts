/**
 * The keys and values of many sequences in one piece of memory per layer, `[slots, kvHeads, capacity, headDim]`, so that an
 * operator takes any slots that lie side by side as one batch.
 * @module
 */
import type { ActivationType } from '@awq/models'
import { type Tensor, tensor, zeros } from '@awq/ort'
import { AwqError } from '@awq/tensor'
import type { CacheShape } from '../cache.ts'
import { turnEventLoop } from '../event-loop.ts'

type Elements = Float32Array | Uint16Array

/** One buffer of a layer: keys or values. */
interface Buffer {
  /** `0.key`, `0.value`, `1.key` ... */
  readonly name: string
  readonly heads: number
  readonly width: number
  data: Elements
}

/** Memory for rows. Calls do not overlap. */
export interface RowMemory {
  /** Tokens of one slot. */
  readonly capacity: number
  /** Slots there are. */
  readonly slots: number
  /** Tokens that memory is taken for. */
  readonly tokens: number
  /**
   * Lays the memory out anew, for `slots * capacity` tokens at least. The first `kept[slot]` rows of each slot stay, as many as
   * there are slots and rows then.
   * @throws AwqError INVALID_ARGUMENT where the system has no memory
   */
  layOut(slots: number, capacity: number, kept: readonly number[]): Promise<void>
  /** `count` slots from `first` on, by the names of keys and values behind a prefix. */
  views(prefix: string, first: number, count: number): Record<string, Tensor>
  /** Copies rows `start` to `end - 1` from one slot to another. */
  copy(from: number, to: number, start: number, end: number): Promise<void>
  /** Exchanges the first rows of two slots: `aRows` of a, `bRows` of b. */
  exchange(a: number, b: number, aRows: number, bRows: number): Promise<void>
  dispose(): void
}

/** Elements that are moved before the event loop turns. */
const movedAtOnce = 2 ** 22

/** No memory yet. */
export const createRowMemory = (shapes: readonly CacheShape[], dtype: ActivationType): RowMemory => {
  const none = () => zeros(dtype, [0]).data as Elements
  const buffers: Buffer[] = shapes.flatMap(({ kvHeads: heads, headDim, valueDim = headDim }, layer) => [
    { name: `${layer}.key`, heads, width: headDim, data: none() },
    { name: `${layer}.value`, heads, width: valueDim, data: none() },
  ])
  let capacity = 0
  let slots = 0
  let tokens = 0

  /** Does something with every buffer, and lets others have their turn. */
  const each = async (rows: number, work: (buffer: Buffer) => void): Promise<void> => {
    let moved = 0
    for (const buffer of buffers) {
      work(buffer)
      moved += rows * buffer.heads * buffer.width
      if (moved < movedAtOnce) continue
      moved = 0
      await turnEventLoop()
    }
  }

  return {
    get capacity() {
      return capacity
    },
    get slots() {
      return slots
    },
    get tokens() {
      return tokens
    },
    async layOut(moreSlots, more, kept) {
      const wanted = Math.max(tokens, moreSlots * more)
      const rowsOf = (slot: number): number => Math.min(kept[slot] ?? 0, more)
      const staying = Math.min(slots, moreSlots)
      const order = Array.from({ length: staying }, (_, slot) => slot)
      // In place: to higher addresses from the end, to lower ones from the beginning.
      if (more > capacity) order.reverse()
      const move = (buffer: Buffer): void => {
        const { heads, width, data } = buffer
        const target = wanted > tokens ? (zeros(dtype, [wanted * heads * width]).data as Elements) : data
        for (const slot of order) {
          for (let i = 0; i < heads; i++) {
            const block = slot * heads + (more > capacity ? heads - 1 - i : i)
            const from = block * capacity * width
            const end = from + rowsOf(slot) * width
            if (target === data) data.copyWithin(block * more * width, from, end)
            else target.set(data.subarray(from, end), block * more * width)
          }
        }
        buffer.data = target
      }
      try {
        const rows = order.reduce((sum, slot) => sum + rowsOf(slot), 0)
        if (wanted > tokens || more !== capacity) await each(rows, move)
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
        throw new AwqError(
          'INVALID_ARGUMENT',
          `There is no memory for caches of ${wanted} tokens (${shapes.length} layers, ${dtype}); use a smaller cacheTokens.`,
          { cause: error },
        )
      }
      tokens = wanted
      capacity = more
      slots = moreSlots
    },
    views: (prefix, first, count) =>
      Object.fromEntries(
        buffers.map(({ name, heads, width, data }) => {
          const slot = heads * capacity * width
          const part = data.subarray(first * slot, (first + count) * slot)
          return [`${prefix}.${name}`, tensor(dtype, [count, heads, capacity, width], part)]
        }),
      ),
    copy: (from, to, start, end) =>
      each(end - start, ({ heads, width, data }) => {
        for (let head = 0; head < heads; head++) {
          const source = (from * heads + head) * capacity
          const target = (to * heads + head) * capacity
          data.copyWithin((target + start) * width, (source + start) * width, (source + end) * width)
        }
      }),
    exchange: (a, b, aRows, bRows) =>
      each(aRows + bRows, ({ heads, width, data }) => {
        for (let head = 0; head < heads; head++) {
          const atA = (a * heads + head) * capacity * width
          const atB = (b * heads + head) * capacity * width
          const held = data.slice(atA, atA + aRows * width)
          data.copyWithin(atA, atB, atB + bRows * width)
          data.set(held, atB)
        }
      }),
    dispose() {
      for (const buffer of buffers) buffer.data = none()
      tokens = 0
      slots = 0
      capacity = 0
    },
  }
}
