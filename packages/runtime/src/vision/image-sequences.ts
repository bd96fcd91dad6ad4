/**
 * Whole sequences with images for forward passes block by block: what calibration and evaluation read, made as `generate` makes
 * prompts.
 * @module
 */
import type { Arrangement, SequenceBatch } from '@awq/models'
import { type Tensor, zeros } from '@awq/ort'
import { AwqError } from '@awq/tensor'
import type { ChatMessage, ContentPart, ImageDocument, Tokenizer } from '@awq/text'
import { createInputEncoder, type GenerateInput } from '../input-encoder.ts'
import type { OpenedModel } from '../open-model.ts'
import { createImageEncoder } from './image-encoder.ts'
import { createImagePrompts } from './image-prompts.ts'
import { hasThreeParts, positionAfter } from './image-ropes.ts'
import type { ImageReader, ImageSource } from './image-source.ts'
import { tokenGroups } from './image-tokens.ts'
import { messageImages } from './message-images.ts'
import { createSeenImages, type SeenImages } from './seen-images.ts'

/** The tokens of a conversation with images. */
export interface ImageSequence {
  /** Ids; those past the vocabulary stand for rows of images, see `ImageSequences.putRows`. */
  readonly ids: Int32Array
  /** The same with a token of text in place of each row, for an embedding table. */
  readonly textIds: Int32Array
  /** How the tokens stand to each other. */
  readonly arrangement: Arrangement
  /** Tells sequences with the same ids from each other: hashes of their images. */
  readonly key: string
}

/** Makes sequences, and keeps the features of their images. */
export interface ImageSequences extends AsyncDisposable {
  /**
   * The sequence of a document. Text past `length` is cut, images are not: a sequence is as long as its last image asks for.
   * @throws AwqError naming the document's line: for an image that can not be read, for more tokens than the model's context
   */
  read(document: ImageDocument, length: number): Promise<ImageSequence>
  /** Writes the rows of a sequence's images over its embedded tokens: float32 `[1, length, hidden]`. */
  putRows(sequence: ImageSequence, embedded: Tensor): void
  /** Bytes of the features that are kept. */
  readonly bytes: number
}

/** Options of {@link openImageSequences}. */
export interface ImageSequenceOptions {
  readonly tokenizer: Tokenizer
  /** Reads images by their names: a name and the folder of its document. */
  readonly readImage?:
    | ((name: string, folder: string | undefined, options: Parameters<ImageReader>[1]) => ReturnType<ImageReader>)
    | undefined
  readonly signal?: AbortSignal | undefined
}

/** Every image of the messages as the part `{ type: 'image', image }`, whose name may be a file's. */
const namedImages = (given: readonly ChatMessage[]): ChatMessage[] => {
  const { messages, images } = messageImages(given, false)
  let next = 0
  const partOf = (part: ContentPart): ContentPart =>
    part.type === 'image' ? { ...part, image: images[next++]!.source } : part
  return messages.map((message) =>
    Array.isArray(message.content) ? { ...message, content: message.content.map(partOf) } : message,
  )
}

/** A document as `generate` is given it: through the chat template, or where there is none as a text behind its images. */
const inputOf = (document: ImageDocument, { chatTemplate }: Tokenizer): GenerateInput => {
  const messages = namedImages(document.messages)
  if (chatTemplate !== undefined) return { messages, addGenerationPrompt: messages.at(-1)?.role !== 'assistant' }
  const [only, ...others] = messages
  const parts: readonly ContentPart[] = only && Array.isArray(only.content) ? only.content : []
  const images = parts.filter(({ type }) => type === 'image')
  if (others.length > 0 || parts.slice(0, images.length).some(({ type }) => type !== 'image'))
    throw new AwqError(
      'UNSUPPORTED',
      'this model has no chat template: give a single text, with its images in front of it',
    )
  const texts = parts.filter(({ type }) => type === 'text')
  return {
    prompt: texts.map(({ text }) => text ?? '').join(''),
    images: images.map(({ image }) => image as ImageSource),
  }
}

/** Opens the images of sequences: the model's tower is loaded when the first one comes. */
export const openImageSequences = (model: OpenedModel, options: ImageSequenceOptions): ImageSequences => {
  const { tokenizer, readImage, signal } = options
  const { description, folder } = model
  const { vocabSize, hiddenSize, contextLength } = description.config
  const seen: SeenImages = createSeenImages(vocabSize, hiddenSize, Number.POSITIVE_INFINITY)
  const encoder = createImageEncoder(model)
  let place: string | undefined
  const read: ImageReader | undefined = readImage && ((name, given) => readImage(name, place, given))
  const images = createImagePrompts({ description, folder, tokenizer, seen, encoder, readImage: read })
  const inputs = createInputEncoder({ model, tokenizer, images })

  const cut = (ids: number[], length: number): number[] => {
    const lastImage = ids.findLastIndex((id) => id >= vocabSize)
    return ids.slice(0, Math.max(length, lastImage + 1))
  }

  const arrangementOf = (ids: readonly number[]): Arrangement => {
    const { attention = 'causal' } = description.vision ?? {}
    const groups = tokenGroups(ids, 0, attention, vocabSize)
    if (!hasThreeParts(description)) return { groups }
    const positions = [positionAfter(undefined, ids[0]!, seen, vocabSize)]
    for (const id of ids.slice(1)) positions.push(positionAfter(positions.at(-1), id, seen, vocabSize))
    return { groups, positions }
  }

  return {
    async read(document, length) {
      place = document.folder
      try {
        const ids = cut(await inputs.prepare(inputOf(document, tokenizer), { signal }), length)
        if (ids.length > contextLength)
          throw new AwqError(
            'INVALID_ARGUMENT',
            `${ids.length} tokens with its images, more than the model's context of ${contextLength}`,
          )
        const shown = new Set(ids.filter((id) => id >= vocabSize).map((id) => seen.find(id)))
        return {
          ids: Int32Array.from(ids),
          textIds: Int32Array.from(ids, (id) => (id < vocabSize ? id : 0)),
          arrangement: arrangementOf(ids),
          key: [...shown].map(({ key }) => key).join('; '),
        }
      } catch (cause) {
        if (signal?.aborted || !AwqError.is(cause)) throw cause
        throw new AwqError(cause.code, `${document.where}: ${cause.message}`, { cause })
      }
    },
    putRows({ ids }, embedded) {
      const rows = embedded.data as Float32Array
      for (const [at, id] of ids.entries()) {
        if (id < vocabSize) continue
        const { firstId, features } = seen.find(id)
        const from = (id - firstId) * hiddenSize
        rows.set(features.subarray(from, from + hiddenSize), at * hiddenSize)
      }
    },
    get bytes() {
      return seen.bytes
    },
    [Symbol.asyncDispose]: () => encoder.dispose(),
  }
}

/** A stream of zeros for a sequence. */
export const sequenceStream = ({ ids, arrangement }: ImageSequence, hiddenSize: number): SequenceBatch => ({
  ...zeros('float32', [1, ids.length, hiddenSize]),
  arrangement,
})
