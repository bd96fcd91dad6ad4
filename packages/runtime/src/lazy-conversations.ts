import type { ModelDescription } from '@awq/models'
import { AwqError } from '@awq/tensor'
import { type ConversationOptions, createConversation } from './conversation.ts'
import type { LazyDecoder } from './lazy-decoder.ts'
import { growingRopeFeeds } from './rope-feeds.ts'
import type { Conversation } from './token-model.ts'

/**
 * Makes empty conversations of a model: each loads the session with its first step where nothing has yet, and all share
 * the rotary tables.
 */
export const lazyConversations = (
  decoder: LazyDecoder,
  description: ModelDescription,
  options: Omit<ConversationOptions, 'rope'>,
): (() => Conversation) => {
  const rope = growingRopeFeeds(description, options.attention, options)
  return () => {
    let inner: Conversation | undefined
    let closed = false
    return {
      get length() {
        return inner?.length ?? 0
      },
      async extend(ids, extension) {
        // Asked for each time: a model that was disposed says so.
        const session = await decoder.session()
        if (closed) throw new AwqError('INVALID_ARGUMENT', 'This conversation was disposed; start another.')
        inner ??= createConversation(session, description, { ...options, rope })
        return inner.extend(ids, extension)
      },
      truncate: (length) => inner?.truncate(length),
      dispose() {
        closed = true
        inner?.dispose()
      },
    }
  }
}
