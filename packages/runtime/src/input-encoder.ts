/**
 * What is to be continued, as token ids: texts, conversations through the chat template, and their images.
 * @module
 */
import { AwqError } from '@awq/tensor'
import type { ChatMessage, Tokenizer } from '@awq/text'
import { encodeInPieces, type PrepareOptions } from './encode-in-pieces.ts'
import type { OpenedModel } from './open-model.ts'
import type { ImagePrompts } from './vision/image-prompts.ts'
import type { ImageSource } from './vision/image-source.ts'
import { messageImages, type NamedSource, showsImages } from './vision/message-images.ts'

/**
 * What to continue: a text as it stands, a conversation through the model's chat template, or token ids. Of ids,
 * `continuation: false` says that what follows is a text of its own, as an answer is: it does not begin with the space that
 * stands between words.
 */
export type GenerateInput =
  | {
      readonly prompt: string
      /** Images, for a model that sees; the prompt has its placeholder for each, or gets them in front. */
      readonly images?: readonly ImageSource[] | undefined
    }
  | MessagesInput
  | { readonly ids: readonly number[]; readonly continuation?: boolean }

/** A conversation. */
export interface MessagesInput {
  /** Parts of contents may be images: `{ type: 'image', image }`, `{ type: 'image_url', image_url: { url } }`. */
  readonly messages: readonly ChatMessage[]
  /** Functions that the model may call, as the template shows them; see `messagesWithTools`. */
  readonly tools?: readonly unknown[] | undefined
  /** Further variables of the template, e.g. `{ enable_thinking: false }`. */
  readonly variables?: Readonly<Record<string, unknown>> | undefined
  /** Whether the template ends with the beginning of an answer. Default true; false for conversations that are whole. */
  readonly addGenerationPrompt?: boolean | undefined
}

/** Makes token ids of inputs. */
export interface InputEncoder {
  /** Whether an input has images, which `prepare` alone can read. */
  hasImages(input: GenerateInput): boolean
  /** The ids of an input without images. @throws AwqError INVALID_ARGUMENT where it has some */
  encode(input: GenerateInput): number[]
  /**
   * The ids of an input; each row of an image is one past the vocabulary. Long texts let the event loop turn.
   * @throws PromptTooLong for more than `most` ids, before all images are encoded; AwqError for an image that can not be read, or that the model does not take; UNSUPPORTED for one that does not see
   */
  prepare(input: GenerateInput, options?: PrepareOptions): Promise<number[]>
}

/** What inputs are encoded with. */
export interface InputEncoderParts {
  readonly model: Pick<OpenedModel, 'sees' | 'openVision'>
  readonly tokenizer: Tokenizer
  readonly images: ImagePrompts
}

/** A conversation as the template writes it. */
interface Rendered {
  readonly text: string
  readonly images: readonly NamedSource[]
  /** Whether tokenizer.json's special tokens come before it. */
  readonly addSpecialTokens: boolean
}

/** The encoder of a model's inputs. */
export const createInputEncoder = ({ model, tokenizer, images }: InputEncoderParts): InputEncoder => {
  const { bosId, chatTemplate = '' } = tokenizer
  const begin = bosId === undefined ? undefined : tokenizer.decode([bosId])
  /** Templates that tell text from lists write images of lists; others are given lists alone. */
  const lists = model.sees && !/content['"\]]*\s+is\s+(not\s+)?string/.test(chatTemplate)

  const render = (input: MessagesInput): Rendered => {
    const { tools, variables, addGenerationPrompt = true } = input
    // What a model that reads text alone is given goes to its template as it is.
    const { messages, images } = model.sees
      ? messageImages(input.messages, lists)
      : { messages: input.messages, images: [] }
    const text = tokenizer.applyChatTemplate(messages, { addGenerationPrompt, tools, variables })
    // As the processors of transformers do it, which models that see come with; a tokenizer alone adds nothing.
    return { text, images, addSpecialTokens: model.sees && !(begin && text.startsWith(begin)) }
  }

  const hasImages = (input: GenerateInput): boolean =>
    'messages' in input ? showsImages(input.messages) : 'prompt' in input && (input.images?.length ?? 0) > 0

  const renderInput = (input: Exclude<GenerateInput, { ids: unknown }>): Rendered => {
    if ('messages' in input) return render(input)
    const shown = (input.images ?? []).map((source) => ({ source, named: true }))
    return { text: input.prompt, images: shown, addSpecialTokens: true }
  }

  /** An empty text is the beginning of any. */
  const orBegin = (ids: number[]): number[] => (ids.length === 0 && bosId !== undefined ? [bosId] : ids)

  return {
    hasImages,
    encode(input) {
      if (hasImages(input))
        throw new AwqError(
          'INVALID_ARGUMENT',
          'Images take time to be read: await prepare(input), or generate from it.',
        )
      if ('ids' in input) return [...input.ids]
      const { text, addSpecialTokens } = renderInput(input)
      return orBegin(tokenizer.encode(text, { addSpecialTokens }))
    },
    async prepare(input, options = {}) {
      options.signal?.throwIfAborted()
      if ('ids' in input) return [...input.ids]
      // Says why, where it does not.
      if (hasImages(input) && !model.sees) await model.openVision()
      const { text, images: shown, addSpecialTokens } = renderInput(input)
      const ids = await encodeInPieces(tokenizer, text, { ...options, addSpecialTokens })
      if (shown.length === 0) return orBegin(ids)
      const placed = 'prompt' in input ? await images.placed(text, shown.length) : text
      return images.encode({ text: placed, images: shown, addSpecialTokens }, options)
    },
  }
}
