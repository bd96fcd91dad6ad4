import type { Conversation } from '../token-model.ts'
import type { BatchExecutor } from './executor.ts'

/** What the executor is made with. */
export interface ConversationExecutorOptions {
  readonly slots: number
  readonly cacheTokens: number
  readonly chunk: number
  readonly vocabSize: number
  /** An empty conversation. */
  readonly create: () => Conversation
}

/**
 * A conversation for each slot, one run after the other: for models and devices whose attention takes no batch. Their
 * caches are freed when memory is wanted for others.
 */
export const createConversationExecutor = (options: ConversationExecutorOptions): BatchExecutor => {
  const { slots, cacheTokens, chunk, vocabSize, create } = options
  const held: (Conversation | undefined)[] = new Array(slots).fill(undefined)
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
  const lengthOf = (slot: number): number => held[slot]?.length ?? 0
  const free = (slot: number): void => {
    held[slot]?.dispose()
    held[slot] = undefined
  }
  const append = async (slot: number, ids: readonly number[], rows: number): Promise<Float32Array> => {
    const conversation = held[slot] ?? create()
    held[slot] = conversation
    if (rows <= 1) return conversation.extend(ids, { logits: 'last' })
    const all = await conversation.extend(ids, { logits: 'all' })
    return all.subarray((ids.length - rows) * vocabSize)
  }
  return {
    slots,
    copies: false,
    chunk,
    get usedTokens() {
      return sum(held.map((conversation) => conversation?.length ?? 0))
    },
    length: lengthOf,
    truncate(slot, length) {
      if (length === 0) free(slot)
      else held[slot]?.truncate(length)
    },
    fits: (needs) => sum(needs) <= cacheTokens,
    async reserve(needs) {
      let room = cacheTokens - sum(needs)
      for (let slot = 0; slot < slots; slot++) {
        if (needs[slot]) continue
        room -= lengthOf(slot)
        if (room < 0) {
          room += lengthOf(slot)
          free(slot)
        }
      }
    },
    async decode(wanted, ids) {
      const logits: Float32Array[] = []
      for (const [index, slot] of wanted.entries()) logits.push(await append(slot, [ids[index] as number], 1))
      return logits
    },
    append,
    copy: () => Promise.reject(new Error('conversations share no rows')),
    async exchange(a, b) {
      const other = held[a]
      held[a] = held[b]
      held[b] = other
    },
    dispose() {
      for (let slot = 0; slot < slots; slot++) free(slot)
    },
  }
}
