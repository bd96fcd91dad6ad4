import type { ChatMessage } from '@awq/text'
import { badParameter } from './api-error.ts'
import type { ImageFile } from './images/request-images.ts'

type Part = { readonly type: string; readonly [key: string]: unknown }
type Content = string | readonly Part[] | null | undefined

/** A part of a message as chat templates know it, but for its image, which is not decoded yet. */
export type ContentPart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image'; readonly image: ImageFile }

/** A message's content with the pixels of its images. */
export const withPixels = async (
  messages: readonly ChatMessage[],
  decode: (file: ImageFile) => Promise<unknown>,
): Promise<ChatMessage[]> => {
  const shown: ChatMessage[] = []
  for (const message of messages) {
    if (!Array.isArray(message.content)) {
      shown.push(message)
      continue
    }
    const content: { readonly type: string; readonly [key: string]: unknown }[] = []
    for (const part of message.content as ContentPart[])
      content.push(part.type === 'image' ? { ...part, image: await decode(part.image) } : part)
    shown.push({ ...message, content })
  }
  return shown
}

/** Reads an image of a request by its URL; throws where none may be. */
export type ReadImage = (url: string, param: string) => Promise<ImageFile>

/** Types of parts that are text, with the key that holds it. */
const textParts: Readonly<Record<string, string>> = {
  text: 'text',
  input_text: 'text',
  output_text: 'text',
  refusal: 'refusal',
}

/** Types of parts that are images, with their URL and where it is. */
const imageParts: Readonly<Record<string, (part: Part) => readonly [url: unknown, place: string]>> = {
  // Chat completions: { image_url: { url } }.
  image_url: ({ image_url: at }) =>
    typeof at === 'string' ? [at, 'image_url'] : [(at as { url?: unknown } | null | undefined)?.url, 'image_url.url'],
  // Responses: { image_url }; a file_id would be of a file that was sent before.
  input_image: ({ image_url: url }) => [url, 'image_url'],
}

/** Types of parts that are neither, in words. */
const otherParts: Readonly<Record<string, string>> = {
  image: 'images but by image_url',
  input_audio: 'audio',
  file: 'files',
  input_file: 'files',
  video_url: 'videos',
}

const missing = (param: string) =>
  badParameter(param, `Missing required parameter: '${param}'.`, 'missing_required_parameter')

const textOf = (part: Part, param: string): string => {
  if (Object.hasOwn(imageParts, part.type))
    throw badParameter(param, "Images are read in messages of the role 'user' alone.", 'unsupported_value')
  const key = textParts[part.type]
  const text = key === undefined ? undefined : part[key]
  if (typeof text === 'string') return text
  const other = otherParts[part.type]
  if (other) throw badParameter(param, `This server reads no ${other}.`, 'unsupported_value')
  if (key === undefined)
    throw badParameter(`${param}.type`, `Invalid value for '${param}.type': only text and images are supported.`)
  throw missing(`${param}.${key}`)
}

/** An image's URL and where it stands; undefined for a part that is no image. */
const imageOf = (part: Part, param: string): { readonly url: string; readonly param: string } | undefined => {
  if (!Object.hasOwn(imageParts, part.type)) return undefined
  const [url, place] = imageParts[part.type]?.(part) ?? []
  if (typeof url !== 'string') throw missing(`${param}.${place}`)
  return { url, param: `${param}.${place}` }
}

/**
 * A message's content: its text, of which several parts are lines, or its parts where there are images among them.
 * @throws ApiError 400 for parts that are neither, and as `read`
 */
export const messageContent = async (
  content: Content,
  param: string,
  read: ReadImage,
): Promise<string | readonly ContentPart[]> => {
  if (typeof content === 'string' || !content?.some(({ type }) => Object.hasOwn(imageParts, type)))
    return contentText(content, param)
  const parts: ContentPart[] = []
  for (const [index, part] of content.entries()) {
    const image = imageOf(part, `${param}[${index}]`)
    if (image) parts.push({ type: 'image', image: await read(image.url, image.param) })
    else parts.push({ type: 'text', text: textOf(part, `${param}[${index}]`) })
  }
  return parts
}

/** The text of a content where no images may be; several parts are lines of it. @throws ApiError 400 for other parts */
export const contentText = (content: Content, param: string): string =>
  typeof content === 'string'
    ? content
    : (content ?? []).map((part, index) => textOf(part, `${param}[${index}]`)).join('\n')
