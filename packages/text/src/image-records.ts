/**
 * Records of data sets that show images: which images belong where in their messages.
 * @module
 */
import { AwqError } from '@awq/tensor'
import type { ChatMessage, ContentPart, ImageDocument, TextDocument } from './types.ts'

/** Fields of a record that hold images beside its text. */
const imageFields = ['image', 'images'] as const

/** Types of parts that are images. */
const imageTypes = new Set(['image', 'image_url', 'input_image'])

/** Where texts beside a list of images say that one of them stands. */
const marker = '<image>'

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null

/** True for a document with images. */
export const isImageDocument = (document: TextDocument): document is ImageDocument =>
  isObject(document) && !Array.isArray(document)

/** An image of a list: a name, what has one, or whatever else a reader of images may know. */
const sourceOf = (value: unknown): unknown => {
  if (!isObject(value)) return value
  return [value.path, value.url].find((name) => typeof name === 'string') ?? value
}

/** The images that a record has beside its text. */
const imagesBeside = (record: Readonly<Record<string, unknown>>): unknown[] =>
  imageFields
    .flatMap((field) => (Array.isArray(record[field]) ? record[field] : [record[field]]))
    .filter((value) => value !== undefined && value !== null && value !== '')
    .map(sourceOf)

const partsOf = ({ content }: ChatMessage): readonly ContentPart[] => {
  if (typeof content === 'string') return [{ type: 'text', text: content }]
  return Array.isArray(content) ? content : []
}

const isImage = (part: unknown): boolean => isObject(part) && imageTypes.has(String(part.type))

/** True for a part that only says that an image stands there. */
const isPlace = (part: ContentPart): boolean =>
  part.type === 'image' &&
  Object.entries(part).every(([key, value]) => key === 'type' || value === null || value === undefined)

/** A text with markers as parts, an empty image part for each marker. */
const atMarkers = (part: ContentPart): ContentPart[] => {
  const { text } = part
  if (part.type !== 'text' || typeof text !== 'string' || !text.includes(marker)) return [part]
  const pieces = text.split(marker).map((piece, i) => (i === 0 ? piece : piece.replace(/^\n/, '')))
  return pieces.flatMap((piece, i) => [
    ...(i > 0 ? [{ type: 'image' }] : []),
    ...(piece === '' ? [] : [{ type: 'text', text: piece }]),
  ])
}

const countPlaces = (messages: readonly ChatMessage[]): number =>
  messages.flatMap(partsOf).filter((part) => isObject(part) && isPlace(part)).length

/** Messages that have a place for each image: as they stand, at markers, or in front of what the user says first. */
const withPlaces = (messages: readonly ChatMessage[], images: number): readonly ChatMessage[] => {
  if (countPlaces(messages) > 0) return messages
  const marked = messages.map((message) => ({ ...message, content: partsOf(message).flatMap(atMarkers) }))
  if (countPlaces(marked) > 0) return marked
  const first = Math.max(
    0,
    messages.findIndex(({ role }) => role === 'user'),
  )
  const places = Array.from({ length: images }, () => ({ type: 'image' }))
  return messages.map((message, i) =>
    i === first ? { ...message, content: [...places, ...partsOf(message)] } : message,
  )
}

/**
 * The document of a record whose text is known, with its images where it has some. Images beside the text take the places
 * of `{ type: 'image' }` among its parts, or of `<image>` in its texts, in order; without either they come first.
 * @param record the whole record @param where file and line, for messages
 * @throws AwqError INVALID_FILE naming the line when there are more or fewer places than images
 */
export const documentWithImages = (record: unknown, document: string | ChatMessage[], where: string): TextDocument => {
  const images = isObject(record) && !Array.isArray(record) ? imagesBeside(record) : []
  const messages: readonly ChatMessage[] =
    typeof document === 'string' ? [{ role: 'user', content: document }] : document
  if (images.length === 0 && !messages.flatMap(partsOf).some(isImage)) return document
  const placed = images.length === 0 ? messages : withPlaces(messages, images.length)
  const places = countPlaces(placed)
  if (places !== images.length)
    throw new AwqError(
      'INVALID_FILE',
      `${where} has ${images.length} images beside its text, which has places for ${places}: ` +
        `one { "type": "image" } or ${marker} stands for each`,
    )
  let next = 0
  const filled = placed.map((message) =>
    Array.isArray(message.content)
      ? {
          ...message,
          content: partsOf(message).map((part) =>
            isObject(part) && isPlace(part) ? { type: 'image', image: images[next++] } : part,
          ),
        }
      : message,
  )
  return { messages: filled, where }
}
