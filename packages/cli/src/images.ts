import type { RgbImage } from '@awq/image'
import type { Session } from './command.ts'
import type { ChatMessage } from './libraries.ts'
import { UsageError } from './parse.ts'

/** A part of a message: an image, or the path of one. */
export type ImagePart = { readonly type: 'image' } & ({ readonly image: RgbImage } | { readonly path: string })

/** What stands for an image in a prompt. */
export const imageMark = '<image>'

/** Reads images, in their order. */
export const readImages = async ({ context, signal }: Session, paths: readonly string[]): Promise<RgbImage[]> => {
  const images: RgbImage[] = []
  if (paths.length === 0) return images
  const { readImage } = await context.libraries.image()
  for (const path of paths) images.push(await readImage(path, { signal }))
  return images
}

/**
 * A message's content: the images in front of the text, or where it has a mark for each.
 * @throws UsageError for marks of another number
 */
export const contentOf = (text: string, images: readonly ImagePart[]): NonNullable<ChatMessage['content']> => {
  if (images.length === 0) return text
  const [first = '', ...rest] = text.split(imageMark)
  if (rest.length === 0) return [...images, { type: 'text', text }]
  if (rest.length !== images.length)
    throw new UsageError(
      `the prompt has ${imageMark} ${rest.length} times, but --image is given ${images.length} times`,
    )
  const parts = [
    { type: 'text', text: first },
    ...rest.flatMap((piece, i) => [images[i]!, { type: 'text', text: piece }]),
  ]
  return parts.filter((part) => !('text' in part) || part.text !== '')
}
