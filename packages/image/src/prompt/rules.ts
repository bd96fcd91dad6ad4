import { AwqError, quoted } from '@awq/tensor'
import type { ProcessorFiles } from '../processors/files.ts'
import type { ProcessedImage } from '../processors/processor.ts'
import { isObject, type JsonObject, settingsOf } from '../processors/settings.ts'
import { bestResolution, type Size } from '../processors/sizes.ts'
import { namedToken } from './tokens.ts'

/** What a processor of transformers does to a prompt with images. */
export interface PromptRules {
  /** The text that stands for one image in a prompt, as chat templates write it. */
  readonly placeholder: string
  /** The token of which each stands for one row of image features. */
  readonly imageToken: string
  /** Rows of features of an image. */
  rows(image: ProcessedImage): number
  /** What a placeholder becomes: image tokens, with the tokens around them. */
  replacement(image: ProcessedImage): string
  /** The whole prompt, where more happens to it than placeholders being replaced (PaliGemma). */
  readonly prepare?: (text: string, images: number) => string
}

interface ModelRow {
  readonly rules: (files: ProcessorFiles) => PromptRules
}

const part = (object: JsonObject, key: string): JsonObject => {
  const value = object[key]
  return isObject(value) ? value : {}
}

/** A field of a JSON object, and the file that this is in. */
interface Place {
  readonly object: JsonObject
  readonly key: string
  readonly file: string
}

/** A count by the first of some places that has it. `files` says what folder messages name. */
function countIn({ imageName }: ProcessorFiles, places: readonly Place[], fallback: () => number): number {
  const found = places.find(({ object, key }) => object[key] !== undefined && object[key] !== null)
  if (found === undefined) return fallback()
  return settingsOf(found.object, imageName.replace(/[^/]*$/, found.file)).count(found.key, 1)
}

const ofProcessor = ({ processor }: ProcessorFiles, key: string): Place => ({
  object: processor,
  key,
  file: 'processor_config.json',
})

const ofConfig = (object: JsonObject, key: string): Place => ({ object, key, file: 'config.json' })

const missing = (files: ProcessorFiles, what: string): AwqError =>
  new AwqError('INVALID_FILE', `${files.imageName}: neither it nor config.json says ${what}, which the prompt needs`)

/** Settings that LLaVA's processors share: pixels of a patch, tokens besides the patches, and whether the first is left out. */
function llavaSettings(files: ProcessorFiles) {
  const { processor, config } = files
  const vision = part(config, 'vision_config')
  const patch = countIn(files, [ofProcessor(files, 'patch_size'), ofConfig(vision, 'patch_size')], () => {
    throw missing(files, 'patch_size')
  })
  const strategy = processor.vision_feature_select_strategy ?? config.vision_feature_select_strategy ?? 'default'
  const stated = processor.num_additional_image_tokens
  // A file that says nothing is from before there was such a setting; CLIP has one token before the patches, SigLIP none.
  const usual = String(vision.model_type ?? 'clip_vision_model').startsWith('clip') ? 1 : 0
  const additional = typeof stated === 'number' && Number.isInteger(stated) ? stated : usual
  return { patch, extra: additional - (strategy === 'default' ? 1 : 0) }
}

function repeated(placeholder: string, imageToken: string, rows: (image: ProcessedImage) => number): PromptRules {
  return { placeholder, imageToken, rows, replacement: (image) => imageToken.repeat(rows(image)) }
}

function llava(files: ProcessorFiles): PromptRules {
  const { patch, extra } = llavaSettings(files)
  const token = imageTokenOf(files, '<image>')
  return repeated(token, token, ({ shape }) => Math.floor(shape[2]! / patch) * Math.floor(shape[3]! / patch) + extra)
}

const imageTokenOf = ({ processor, tokenizer }: ProcessorFiles, usual: string): string =>
  namedToken(tokenizer, 'image_token') ?? namedToken(processor, 'image_token') ?? usual

/**
 * Rows of LLaVA-NeXT: those of the grid without what was padded, one at the end of each of its lines, and those of the whole image.
 */
function llavaNext(files: ProcessorFiles): PromptRules {
  const { patch, extra } = llavaSettings(files)
  const resolutions = settingsOf(files.image, files.imageName).resolutions('image_grid_pinpoints', [
    [336, 672],
    [672, 336],
    [672, 672],
    [1008, 336],
    [336, 1008],
  ])
  const token = imageTokenOf(files, '<image>')
  const rows = ({ originalSize, shape }: ProcessedImage): number => {
    const tile: Size = [shape[2]!, shape[3]!]
    const [down, across] = [Math.floor(tile[0] / patch), Math.floor(tile[1] / patch)]
    const best = bestResolution(originalSize, resolutions)
    const grid: Size = [down * Math.floor(best[0] / tile[0]), across * Math.floor(best[1] / tile[1])]
    const [height, width] = unpadded(originalSize, grid)
    return height * width + height + down * across + extra
  }
  return repeated(token, token, rows)
}

/** Rows and columns of a grid of features that show an image of some aspect ratio, and nothing that was padded. */
export function unpadded([height, width]: Size, [rows, columns]: Size): Size {
  const whole = (value: number): number => Math.trunc(Number(value.toFixed(7)))
  if (width / height > columns / rows) {
    const shown = whole(height * (columns / width))
    return [rows - Math.floor((rows - shown) / 2) * 2, columns]
  }
  const shown = whole(width * (rows / height))
  return [rows, columns - Math.floor((columns - shown) / 2) * 2]
}

function qwen(files: ProcessorFiles): PromptRules {
  const merge = settingsOf(files.image, files.imageName).count('merge_size', 2)
  const token = imageTokenOf(files, '<|image_pad|>')
  return repeated(token, token, ({ grid }) => Math.floor((grid![0] * grid![1] * grid![2]) / merge ** 2))
}

function idefics(files: ProcessorFiles): PromptRules {
  const { config, tokenizer } = files
  const vision = part(config, 'vision_config')
  const derived = (): number => {
    const [size, patch, scale] = [vision.image_size, vision.patch_size, config.scale_factor]
    const known = [size, patch, scale].every((value) => typeof value === 'number' && value > 0)
    return known ? Math.trunc(Math.floor(Number(size) / Number(patch)) ** 2 / Number(scale) ** 2) : 169
  }
  const length = countIn(files, [ofProcessor(files, 'image_seq_len')], derived)
  const own = config.model_type === 'smolvlm' ? tokenizer : {}
  const image = namedToken(own, 'image_token') ?? '<image>'
  const around = namedToken(own, 'fake_image_token') ?? '<fake_token_around_image>'
  const global = namedToken(own, 'global_image_token') ?? '<global-img>'
  const tile = image.repeat(length)
  const replacement = ({ split }: ProcessedImage): string => {
    const whole = `${around}${global}${tile}${around}`
    const { rows = 0, columns = 0 } = split ?? {}
    if (rows === 0 && columns === 0) return whole
    const line = (row: number): string =>
      `${Array.from({ length: columns }, (_, column) => `${around}<row_${row + 1}_col_${column + 1}>${tile}`).join('')}\n`
    return `${Array.from({ length: rows }, (_, row) => line(row)).join('')}\n${whole}`
  }
  return { placeholder: image, imageToken: image, rows: ({ shape }) => shape[0]! * length, replacement }
}

function gemma(files: ProcessorFiles): PromptRules {
  const { config, tokenizer } = files
  const places = [ofProcessor(files, 'image_seq_length'), ofConfig(config, 'mm_tokens_per_image')]
  const length = countIn(files, places, () => 256)
  const begin = namedToken(tokenizer, 'boi_token') ?? '<start_of_image>'
  const end = namedToken(tokenizer, 'eoi_token') ?? '<end_of_image>'
  const image = namedToken(tokenizer, 'image_token') ?? '<image_soft_token>'
  const sequence = `\n\n${begin}${image.repeat(length)}${end}\n\n`
  const replacement = ({ crops = 0 }: ProcessedImage): string => {
    if (crops === 0) return sequence
    const rest = Array.from({ length: crops }, () => sequence).join(' ')
    return `Here is the original image ${sequence} and here are some crops to help you see better ${rest}`
  }
  return { placeholder: begin, imageToken: image, rows: ({ shape }) => shape[0]! * length, replacement }
}

/** PaliGemma: the images, then the token that begins a text, the text and a line end. */
function paligemma(files: ProcessorFiles): PromptRules {
  const { image, config, tokenizer } = files
  const vision = part(config, 'vision_config')
  const derived = (): number => {
    const stated = part(config, 'text_config').num_image_tokens ?? vision.num_image_tokens
    if (typeof stated === 'number') return stated
    throw missing(files, 'image_seq_length')
  }
  const own = { object: image, key: 'image_seq_length', file: files.imageName.replace(/.*\//, '') }
  const length = countIn(files, [own, ofProcessor(files, 'image_seq_length')], derived)
  const token = namedToken(tokenizer, 'image_token') ?? '<image>'
  const begin = namedToken(tokenizer, 'bos_token') ?? '<bos>'
  const prepare = (text: string, images: number): string => {
    if (!text.includes(token)) return `${token.repeat(images)}${begin}${text}\n`
    const last = text.lastIndexOf(token) + token.length
    return `${text.slice(0, last)}${begin}${text.slice(last)}\n`
  }
  return { ...repeated(token, token, ({ shape }) => shape[0]! * length), prepare }
}

/** The models that see, by `model_type` of config.json. */
const models: Readonly<Record<string, ModelRow>> = {
  llava: { rules: llava },
  llava_next: { rules: llavaNext },
  qwen2_vl: { rules: qwen },
  qwen2_5_vl: { rules: qwen },
  idefics3: { rules: idefics },
  smolvlm: { rules: idefics },
  gemma3: { rules: gemma },
  paligemma: { rules: paligemma },
}

/** The rules of a model, undefined where it is not known to see. */
export const promptRulesOf = (modelType: string, files: ProcessorFiles): PromptRules | undefined =>
  Object.hasOwn(models, modelType) ? models[modelType]!.rules(files) : undefined

const counted = (count: number, thing: string): string =>
  `${count === 0 ? 'no' : count} ${thing}${count === 1 ? '' : 's'}`

/**
 * The pieces of a prompt between the placeholders of so many images, before anything is known of these. Throws INVALID_ARGUMENT when
 * there are more or fewer placeholders than images.
 */
export function splitPrompt(rules: PromptRules, text: string, images: number): string[] {
  const prepared = images > 0 && rules.prepare ? rules.prepare(text, images) : text
  const pieces = prepared.split(rules.placeholder)
  const places = pieces.length - 1
  if (places === images) return pieces
  throw new AwqError(
    'INVALID_ARGUMENT',
    `the prompt has ${counted(places, 'placeholder')} ${quoted(rules.placeholder)} for ${counted(images, 'image')}; ` +
      'there must be one for each image. A chat template writes them where messages have images; one that shows none is for text alone',
  )
}

/**
 * A prompt as the processors of transformers hand it to their tokenizer: each placeholder replaced by the tokens of its image, in
 * order. Throws as `splitPrompt`.
 */
export function expandPrompt(rules: PromptRules, text: string, images: readonly ProcessedImage[]): string {
  const pieces = splitPrompt(rules, text, images.length)
  return pieces.map((piece, index) => (index === 0 ? piece : rules.replacement(images[index - 1]!) + piece)).join('')
}
