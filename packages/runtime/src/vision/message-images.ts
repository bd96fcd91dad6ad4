/**
 * Images in messages, in the formats of OpenAI, transformers and the AI SDK.
 * @module
 */
import { AwqError, quoted } from '@awq/tensor'
import type { ChatMessage } from '@awq/text'
import type { ImageSource } from './image-source.ts'

type Part = Readonly<Record<string, unknown>>

/** Messages as chat templates read them, and their images in order. */
export interface MessagesWithImages {
  readonly messages: readonly ChatMessage[]
  readonly images: readonly NamedSource[]
}

/** An image, and whether a string is the name of a file. */
export interface NamedSource {
  readonly source: ImageSource
  readonly named: boolean
}

const isPart = (value: unknown): value is Part => typeof value === 'object' && value !== null

/** The first of some fields that is there. */
const firstOf = (part: Part, fields: readonly string[]): unknown =>
  fields.map((field) => part[field]).find((value) => value !== undefined && value !== null)

/** Types of parts that are images, and what they hold. */
const kinds: Readonly<Record<string, (part: Part) => NamedSource | undefined>> = {
  // OpenAI: { image_url: { url } }; only data URLs, since requests of others are passed on as they are.
  image_url: ({ image_url: at }) => ({ source: (isPart(at) ? at.url : at) as ImageSource, named: false }),
  input_image: ({ image_url: at }) => ({ source: (isPart(at) ? at.url : at) as ImageSource, named: false }),
  // transformers: { image | path | url | base64 }; the AI SDK: { image }.
  image: (part) => {
    const { base64 } = part
    if (typeof base64 === 'string') return { source: `data:image/png;base64,${base64}`, named: false }
    const source = firstOf(part, ['image', 'path', 'url', 'data'])
    return source === undefined ? undefined : { source: source as ImageSource, named: true }
  },
  // The AI SDK: bytes, base64 or an address.
  file: ({ mediaType, data }) => {
    if (typeof mediaType !== 'string' || !mediaType.startsWith('image/')) return undefined
    const base64 = typeof data === 'string' && !/^(data|https?|blob):/i.test(data)
    return { source: base64 ? `data:${mediaType};base64,${data}` : (data as ImageSource), named: false }
  },
}

/** Types of parts that are text. */
const texts = new Set(['text', 'input_text', 'output_text'])

/** True where a message has an image among its parts. */
export const showsImages = (messages: readonly ChatMessage[]): boolean =>
  messages.some(({ content }) => Array.isArray(content) && content.some((part) => isPart(part) && isImage(part)))

const isImage = (part: Part): boolean =>
  Object.hasOwn(kinds, String(part.type)) && (part.type !== 'file' || kinds.file!(part) !== undefined)

/**
 * Takes the images out of messages: their parts become `{ type: 'image' }`, which chat templates write the placeholder for.
 * @param lists contents that are text become lists of one part, for templates that know no others
 * @throws AwqError INVALID_ARGUMENT for a part that is neither text nor an image that can be read
 */
export const messageImages = (messages: readonly ChatMessage[], lists: boolean): MessagesWithImages => {
  const images: NamedSource[] = []
  const partOf = (part: unknown, where: string): Part => {
    if (typeof part === 'string') return { type: 'text', text: part }
    if (!isPart(part)) throw new AwqError('INVALID_ARGUMENT', `${where} must be an object { type, ... }`)
    const type = String(part.type)
    if (texts.has(type)) return { ...part, type: 'text' }
    const image = Object.hasOwn(kinds, type) ? kinds[type]!(part) : undefined
    if (!image?.source)
      throw new AwqError(
        'INVALID_ARGUMENT',
        `${where} of type ${quoted(type)} holds no image; parts are { type: 'text', text }, { type: 'image', image } or ` +
          "{ type: 'image_url', image_url: { url } }",
      )
    images.push(image)
    return { type: 'image' }
  }
  const read = messages.map((message, i): ChatMessage => {
    const { content } = message
    if (Array.isArray(content)) {
      const parts = content.map((part, j) => partOf(part, `message ${i}, part ${j},`))
      return { ...message, content: parts as unknown as NonNullable<ChatMessage['content']> }
    }
    return lists && typeof content === 'string' ? { ...message, content: [{ type: 'text', text: content }] } : message
  })
  return { messages: read, images }
}
