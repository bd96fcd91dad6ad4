/**
 * Conversations that stay when a generation ends, so that the next turn of a chat runs only what is new.
 * @module
 */
import { AwqError } from '@awq/tensor'
import type { Conversation } from './token-model.ts'

/** Idle conversations by the tokens in their caches. */
export interface ConversationPool {
  /**
   * A conversation for a prompt of at least one token: the idle one whose cache shares the longest beginning with the
   * prompt, cut down to it (and to one token less than the prompt), or a new one. It is the caller's alone until its
   * `dispose` gives it back, with what is in its cache then.
   */
  open(prompt: readonly number[]): Conversation
  /** Idle conversations. */
  readonly idle: number
  /** Frees the idle conversations, and each of the others when it is given back. */
  dispose(): void
}

interface Idle {
  readonly conversation: Conversation
  /** The tokens in its cache. */
  readonly ids: number[]
}

/**
 * An empty pool over `create`, which makes a conversation with an empty cache.
 * @param kept how many idle conversations are kept; beyond it the one that was idle longest is freed. 0 keeps none.
 * @throws AwqError INVALID_ARGUMENT for a `kept` that is no integer from 0 to 1000
 */
export const createConversationPool = (create: () => Conversation, kept: number): ConversationPool => {
  if (!Number.isSafeInteger(kept) || kept < 0 || kept > 1000) {
    throw new AwqError('INVALID_ARGUMENT', `keptConversations must be an integer from 0 to 1000, not ${String(kept)}.`)
  }
  /** The one that was idle longest first. */
  const idle: Idle[] = []
  let disposed = false

  const giveBack = (entry: Idle): void => {
    if (disposed || kept === 0 || entry.ids.length === 0) {
      entry.conversation.dispose()
      return
    }
    idle.push(entry)
    if (idle.length > kept) idle.shift()?.conversation.dispose()
  }

  return {
    get idle() {
      return idle.length
    },
    open(prompt) {
      const best = choose(idle, prompt, idle.length < kept)
      const entry = best === undefined ? { conversation: create(), ids: [] } : (idle.splice(best, 1)[0] as Idle)
      const shared = Math.min(sharedLength(entry.ids, prompt), prompt.length - 1)
      entry.ids.length = shared
      entry.conversation.truncate(shared)
      return lent(entry, giveBack)
    },
    dispose() {
      disposed = true
      for (const { conversation } of idle.splice(0)) conversation.dispose()
    },
  }
}

/** How many tokens two texts begin with in common. */
export const sharedLength = (a: readonly number[], b: readonly number[]): number => {
  const most = Math.min(a.length, b.length)
  let length = 0
  while (length < most && a[length] === b[length]) length++
  return length
}

/**
 * The index of the idle conversation to go on with. While there is room for another, one that would lose more than half of
 * its tokens is left alone: it may be another user's chat that has only the system prompt in common.
 */
const choose = (idle: readonly Idle[], prompt: readonly number[], room: boolean): number | undefined => {
  let best: number | undefined
  let longest = -1
  for (const [index, { ids }] of idle.entries()) {
    const shared = sharedLength(ids, prompt)
    if (shared <= longest || (room && 2 * shared < ids.length)) continue
    best = index
    longest = shared
  }
  return best
}

/** A conversation that keeps account of the tokens in its cache and goes back to where it came from. */
const lent = ({ conversation, ids }: Idle, giveBack: (entry: Idle) => void): Conversation => {
  let returned = false
  let certain = true
  return {
    get length() {
      return ids.length
    },
    async extend(more, options) {
      if (returned) throw new AwqError('INVALID_ARGUMENT', 'This conversation was given back; open another.')
      const before = ids.length
      try {
        return await conversation.extend(more, options)
      } finally {
        // A run that failed half-way tells by its length what it completed.
        const completed = conversation.length - before
        if (completed < 0 || completed > more.length) certain = false
        else for (let i = 0; i < completed; i++) ids.push(more[i] as number)
      }
    },
    truncate(length) {
      conversation.truncate(length)
      ids.length = Math.min(ids.length, length)
    },
    dispose() {
      if (returned) return
      returned = true
      if (certain) giveBack({ conversation, ids })
      else conversation.dispose()
    },
  }
}
