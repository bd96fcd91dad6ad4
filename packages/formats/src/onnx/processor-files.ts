/**
 * The files of which transformers.js makes the processor of a model that sees. Its classes know no defaults, and one of its
 * counts differs from transformers' of the same name.
 * @module
 */
import { companionText } from '../folder/companions.ts'
import { isObject, type JsonObject } from '../folder/config.ts'
import type { PortableModel } from '../model.ts'
import { companionObject } from './config-fields.ts'

const CLIP = {
  ...{ image_mean: [0.48145466, 0.4578275, 0.40821073], image_std: [0.26862954, 0.26130258, 0.27577711] },
  ...{ resample: 3, do_convert_rgb: true },
}
const HALF = { image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5], do_convert_rgb: true }
const IDEFICS = {
  ...{ ...HALF, resample: 1, do_image_splitting: true, do_pad: true },
  ...{ size: { longest_edge: 4 * 364 }, max_image_size: { longest_edge: 364 } },
}

/** What a family's processor is there. */
interface ProcessorRow {
  readonly processor: string
  readonly image: string
  /** What transformers does where preprocessor_config.json says nothing. */
  readonly defaults: JsonObject
}

const QWEN = { min_pixels: 56 * 56, max_pixels: 28 * 28 * 1280, patch_size: 14, merge_size: 2, temporal_patch_size: 2 }
const qwen = (processor: string): ProcessorRow => ({
  processor,
  image: 'Qwen2VLImageProcessor',
  defaults: { ...CLIP, ...QWEN },
})

/** By `model_type`. */
const ROWS: Readonly<Record<string, ProcessorRow>> = {
  llava: {
    ...{ processor: 'LlavaProcessor', image: 'CLIPImageProcessor' },
    defaults: {
      ...{ ...CLIP, do_center_crop: true },
      ...{ size: { shortest_edge: 224 }, crop_size: { height: 224, width: 224 } },
    },
  },
  qwen2_vl: qwen('Qwen2VLProcessor'),
  qwen2_5_vl: qwen('Qwen2_5_VLProcessor'),
  idefics3: { processor: 'Idefics3Processor', image: 'Idefics3ImageProcessor', defaults: IDEFICS },
  smolvlm: { processor: 'SmolVLMProcessor', image: 'SmolVLMImageProcessor', defaults: IDEFICS },
  gemma3: {
    ...{ processor: 'Gemma3Processor', image: 'Gemma3ImageProcessor' },
    defaults: { ...HALF, resample: 2, size: { height: 224, width: 224 } },
  },
  paligemma: {
    ...{ processor: 'PaliGemmaProcessor', image: 'SiglipImageProcessor' },
    defaults: { ...HALF, resample: 3, size: { height: 224, width: 224 } },
  },
}

/** LLaVA's takes SigLIP's images too; other kinds are the family's own. */
const imageKind = (row: ProcessorRow, stated: unknown): string => {
  const named = typeof stated === 'string' ? stated.replace(/(Fast|Pil)$/, '') : row.image
  return row.image === 'CLIPImageProcessor' && named === 'SiglipImageProcessor' ? named : row.image
}

/** Rows of features of a tile. */
const tileRows = ({ description: { vision } }: PortableModel): number => {
  const { tower, projector } = vision!
  if (tower.pixels.kind === 'patches') return 0
  const { size, patch } = tower.pixels
  return Math.floor(Math.floor(size / patch) / (projector.rearrange?.factor ?? 1)) ** 2
}

/** The fields of processor_config.json that its classes read. */
const processorFields = (model: PortableModel, own: JsonObject): JsonObject => {
  const { description } = model
  const { tower } = description.vision!
  const rows = tileRows(model)
  return {
    image_seq_len: rows,
    image_seq_length: rows,
    ...own,
    ...(description.config.modelType === 'llava'
      ? {
          image_token: own.image_token ?? '<image>',
          patch_size: tower.pixels.patch,
          // It adds them to the patches; transformers takes one off where the first token is left out.
          num_additional_image_tokens: tower.classToken && !tower.dropsClass ? 1 : 0,
        }
      : {}),
  }
}

const edgeOf = (image: JsonObject): number | undefined => {
  const { max_image_size: largest } = image
  const edge = isObject(largest) ? largest.longest_edge : undefined
  return typeof edge === 'number' && Number.isInteger(edge) && edge > 0 ? edge : undefined
}

/** Files by name, and the pixels of a tile where the processor says them. */
export interface ProcessorFiles {
  readonly files: ReadonlyMap<string, unknown>
  readonly tile?: readonly [height: number, width: number] | undefined
}

/** The files; none for a model without an image processor's, whose caller prepares pixels alone. */
export const processorFiles = async (model: PortableModel): Promise<ProcessorFiles> => {
  const row = ROWS[model.description.config.modelType]
  const { image_processor: nested, ...processor } = (await companionObject(model, 'processor_config.json')) ?? {}
  const stated = isObject(nested) ? nested : await companionObject(model, 'preprocessor_config.json')
  if (!row || !stated) return { files: new Map() }
  const { defaults } = row
  const image: JsonObject = {
    ...{ do_resize: true, do_rescale: true, rescale_factor: 1 / 255, do_normalize: true },
    ...defaults,
    ...stated,
    ...(row.processor === 'PaliGemmaProcessor'
      ? { image_seq_length: stated.image_seq_length ?? processor.image_seq_length ?? tileRows(model) }
      : {}),
    image_processor_type: imageKind(row, stated.image_processor_type),
    processor_class: row.processor,
  }
  const template = await companionObject(model, 'tokenizer_config.json')
  const files = new Map<string, unknown>([
    ['preprocessor_config.json', image],
    ['processor_config.json', { ...processorFields(model, processor), processor_class: row.processor }],
  ])
  // One of its classes reads no template but that of a file of its own.
  const text = (await companionText(model, 'chat_template.jinja')) ?? template?.chat_template
  if (typeof text === 'string') files.set('chat_template.jinja', text)
  const edge = defaults.max_image_size === undefined ? undefined : edgeOf(image)
  return { files, ...(edge === undefined ? {} : { tile: [edge, edge] }) }
}
