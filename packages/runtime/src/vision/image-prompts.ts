/**
 * Prompts with images: pixels through the model's processor and tower, placeholders to ids past the vocabulary.
 * @module
 */
import {
  expandPrompt,
  type ImageProcessor,
  loadImageProcessor,
  type ProcessedImage,
  type ProcessorOptions,
  splitPrompt,
} from '@awq/image'
import type { ModelDescription, PreparedImage } from '@awq/models'
import { tensor } from '@awq/ort'
import { AwqError, type Folder } from '@awq/tensor'
import type { Tokenizer } from '@awq/text'
import { encodeInPieces, type PrepareOptions } from '../encode-in-pieces.ts'
import { PromptTooLong } from '../prompt-too-long.ts'
import type { ImageEncoder } from './image-encoder.ts'
import { type ImageReaders, imagePixels } from './image-source.ts'
import type { NamedSource } from './message-images.ts'
import type { ImageHold, SeenImage, SeenImages } from './seen-images.ts'

/** What prompts with images are made with. */
export interface ImagePromptParts extends ImageReaders {
  readonly description: ModelDescription
  /** The model's, with the files of its processor. */
  readonly folder: Folder
  readonly tokenizer: Tokenizer
  /** Absent for models that do not see. */
  readonly seen: SeenImages | undefined
  readonly encoder: ImageEncoder
  /** Settings that replace those of the processor's files, by their names there. */
  readonly settings?: ProcessorOptions['settings'] | undefined
}

/** A text with a placeholder for each image. */
export interface ImagePrompt {
  readonly text: string
  readonly images: readonly NamedSource[]
  /** Special tokens that tokenizer.json adds, where the model's processor does not write its own. */
  readonly addSpecialTokens: boolean
}

/** Makes prompts. */
export interface ImagePrompts {
  /**
   * A text with a placeholder for each image: as it stands where it has any, else with them in front.
   * @throws AwqError NOT_FOUND for a folder without an image processor's file
   */
  placed(text: string, images: number): Promise<string>
  /**
   * The ids of a prompt.
   * @throws PromptTooLong for more tokens than `most`, before all images are encoded; AwqError as `imagePixels`,
   * `ImageProcessor.process` and `ImageHold.keep`; INVALID_ARGUMENT for a text with another number of placeholders
   */
  encode(prompt: ImagePrompt, options?: PrepareOptions): Promise<number[]>
}

const preparedOf = ({ pixelValues, shape, grid, originalSize }: ProcessedImage): PreparedImage => ({
  pixelValues: tensor('float32', shape, pixelValues as Float32Array<ArrayBuffer>),
  size: originalSize,
  ...(grid ? { grid: { rows: grid[1], columns: grid[2] } } : {}),
})

/** What tells an image from others once it is prepared; without a hash none is like another. */
const keyOf = async ({ pixelValues, shape, originalSize }: ProcessedImage): Promise<string> => {
  const { subtle } = globalThis.crypto ?? {}
  if (!subtle) return `${Math.random()} ${performance.now()}`
  const bytes = new Uint8Array(pixelValues.buffer as ArrayBuffer, pixelValues.byteOffset, pixelValues.byteLength)
  const hash = new Uint8Array(await subtle.digest('SHA-256', bytes))
  return `${shape.join(' ')} of ${originalSize.join(' ')}: ${[...hash].join(' ')}`
}

/** In place of pixels that are done with: they are large. */
const noPixels = new Float32Array()

/** Prompts of a model that sees. */
export const createImagePrompts = (parts: ImagePromptParts): ImagePrompts => {
  const { description, folder, tokenizer, encoder, readImage, fetchImage } = parts
  let loading: Promise<ImageProcessor> | undefined
  const processor = (): Promise<ImageProcessor> => {
    loading ??= loadImageProcessor(folder, parts.settings ? { settings: parts.settings } : {})
    loading.catch(() => {
      loading = undefined
    })
    return loading
  }

  const rulesOf = ({ prompt, kind }: ImageProcessor) => {
    if (prompt) return prompt
    throw new AwqError('UNSUPPORTED', `${folder.name}: what ${kind} does to a prompt is not known for this model`)
  }

  const see = async (
    image: ProcessedImage,
    seen: SeenImages,
    hold: ImageHold,
    signal: AbortSignal | undefined,
  ): Promise<SeenImage> => {
    const key = await keyOf(image)
    let known = seen.byKey(key)
    if (!known) {
      const { features, grid } = await encoder.encode(preparedOf(image), { signal })
      known = seen.byKey(key) ?? seen.add(key, features, grid)
    }
    hold.keep(known)
    return known
  }

  const encode = async (
    { text, images, addSpecialTokens }: ImagePrompt,
    seen: SeenImages,
    hold: ImageHold,
    { most = Number.POSITIVE_INFINITY, signal }: PrepareOptions,
  ): Promise<number[]> => {
    const ready = await processor()
    const rules = rulesOf(ready)
    splitPrompt(rules, text, images.length)
    const processed: ProcessedImage[] = []
    const found: SeenImage[] = []
    let count = 0
    for (const [i, { source, named }] of images.entries()) {
      const name = images.length > 1 ? `image ${i + 1}` : 'the image'
      const pixels = await imagePixels(source, { ...(named ? { readImage } : {}), fetchImage, name, signal })
      const image = ready.process(pixels)
      count += rules.rows(image)
      if (count > most) throw new PromptTooLong(most, count, false, 'Show fewer images, or smaller ones.')
      found.push(await see(image, seen, hold, signal))
      processed.push({ ...image, pixelValues: noPixels })
    }
    const expanded = expandPrompt(rules, text, processed)
    const own = rules.prepare && images.length > 0
    const ids = await encodeInPieces(tokenizer, expanded, {
      most,
      addSpecialTokens: addSpecialTokens && !own,
      signal,
    })
    const rows = found.flatMap(({ firstId, rows: count }) => Array.from({ length: count }, (_, i) => firstId + i))
    const imageToken = description.vision!.imageTokenId
    const places = ids.filter((id) => id === imageToken).length
    if (places !== rows.length)
      throw new AwqError(
        'CONFIG',
        `${folder.name}: the prompt has ${places} tokens ${imageToken} for the ${rows.length} rows of its images; ` +
          'config.json, the tokenizer and the image processor do not belong together',
      )
    let row = 0
    return ids.map((id) => (id === imageToken ? rows[row++]! : id))
  }

  return {
    async placed(text, images) {
      const { placeholder, prepare } = rulesOf(await processor())
      return prepare || text.includes(placeholder) ? text : placeholder.repeat(images) + text
    },
    async encode(prompt, options = {}) {
      const { seen } = parts
      if (!seen || !description.vision) throw new AwqError('UNSUPPORTED', `${folder.name} does not see`)
      const hold = seen.hold()
      try {
        const ids = await encode(prompt, seen, hold, options)
        if (options.onHold) options.onHold(hold.release)
        else hold.release()
        return ids
      } catch (error) {
        hold.release()
        throw error
      }
    },
  }
}
