import type { AttentionForm, ModelDescription } from '@awq/models'
import { AwqError } from '@awq/tensor'
import { type ConversationOptions, createConversation } from './conversation.ts'
import type { LazyDecoder } from './lazy-decoder.ts'
import { growingRopeFeeds } from './rope-feeds.ts'
import type { Conversation } from './token-model.ts'
import { hasImages } from './vision/image-tokens.ts'

/** Another decoder for conversations with images, where that of text can not say their attention. */
export interface ImageDecoder {
  readonly decoder: LazyDecoder
  readonly attention: AttentionForm
}

/** Conversations by what is known of them when they are opened. */
export interface LazyOptions extends Omit<ConversationOptions, 'rope'> {
  readonly forImages?: ImageDecoder | undefined
}

/**
 * Makes empty conversations of a model: each loads the session with its first step where nothing has yet, and all share
 * the rotary tables. With `forImages` a conversation goes over to that decoder with its first image.
 */
export const lazyConversations = (
  decoder: LazyDecoder,
  description: ModelDescription,
  { forImages, ...options }: LazyOptions,
): (() => Conversation) => {
  const rope = growingRopeFeeds(description, options.attention, options)
  const imageRope = forImages && growingRopeFeeds(description, forImages.attention, options)
  const { vocabSize } = description.config
  return () => {
    let inner: Conversation | undefined
    let seeing = false
    let closed = false
    /** Tokens that it holds, where it may have to be made anew. */
    const known: number[] = []

    const open = async (): Promise<Conversation> => {
      // Asked for each time: a model that was disposed says so.
      const session = await (seeing ? forImages! : { decoder }).decoder.session()
      if (closed) throw new AwqError('INVALID_ARGUMENT', 'This conversation was disposed; start another.')
      const own = seeing ? { attention: forImages!.attention, rope: imageRope } : { rope }
      inner ??= createConversation(session, description, { ...options, ...own })
      return inner
    }

    return {
      get length() {
        return forImages ? known.length : (inner?.length ?? 0)
      },
      async extend(ids, extension) {
        if (!forImages) return (await open()).extend(ids, extension)
        if (!seeing && hasImages(ids, vocabSize)) {
          seeing = true
          inner?.dispose()
          inner = undefined
        }
        const conversation = await open()
        const missing = known.slice(conversation.length)
        if (missing.length > 0) await conversation.extend(missing, { signal: extension.signal })
        try {
          return await conversation.extend(ids, extension)
        } finally {
          known.push(...ids)
          known.length = Math.min(known.length, conversation.length)
        }
      },
      truncate(length) {
        known.length = Math.min(known.length, length)
        if (inner && inner.length > length) inner.truncate(length)
      },
      dispose() {
        closed = true
        inner?.dispose()
      },
    }
  }
}
