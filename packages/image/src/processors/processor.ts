import { AwqError, type Folder, quoted } from '@awq/tensor'
import type { Backend } from '../pixels/resize.ts'
import { type PromptRules, promptRulesOf } from '../prompt/rules.ts'
import type { RgbImage } from '../types.ts'
import { type FamilyRow, families, familyOfModel } from './families.ts'
import { type ProcessorFiles, readProcessorFiles } from './files.ts'
import { type JsonObject, settingsOf } from './settings.ts'
import type { Size } from './sizes.ts'
import { levelsOf, patches, planes } from './tiles.ts'

/** One image as a model's vision tower takes it. */
export interface ProcessedImage {
  /** Float32, of `shape`. */
  readonly pixelValues: Float32Array
  /** [tiles, 3, height, width]; Qwen's: [patches, 3 * frames * patch * patch]. */
  readonly shape: readonly number[]
  /** Of the image before anything was done to it. */
  readonly originalSize: Size
  /** Qwen: frames (1), rows and columns of patches (`image_grid_thw`). */
  readonly grid?: readonly [number, number, number]
  /** Idefics 3: rows and columns of tiles before the whole image; 0 and 0 when it was not split. */
  readonly split?: { readonly rows: number; readonly columns: number }
  /** Gemma 3: crops after the whole image. */
  readonly crops?: number
}

/** How images become the input of a model, and what happens to the prompt. */
export interface ImageProcessor {
  /** The class of transformers that it does the work of. */
  readonly kind: string
  readonly backend: Backend
  /** Whether the vision tower takes patches in a row (Qwen) or planes. */
  readonly layout: 'planes' | 'patches'
  /** Throws UNSUPPORTED for images whose shape the model does not take, with advice. */
  process(image: RgbImage): ProcessedImage
  /** What images do to a prompt; absent where `config.json` names no model that is known to see. */
  readonly prompt?: PromptRules
}

/** How a processor is made. */
export interface ProcessorOptions {
  /** Whose arithmetic is followed; default `torchvision`, which transformers prefers. */
  readonly backend?: Backend
  /** Settings that replace those of the files, by their names there: `{ do_pan_and_scan: true }`, `{ max_pixels: 401408 }`. */
  readonly settings?: JsonObject
}

/** Settings that a model's processor always gives its image processor, whatever the file says, unless the caller does. */
const overridden: Readonly<Record<string, JsonObject>> = {
  gemma3: {
    do_pan_and_scan: false,
    pan_and_scan_min_crop_size: 256,
    pan_and_scan_max_num_crops: 4,
    pan_and_scan_min_ratio_to_activate: 1.2,
  },
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

function familyOf({ image, config, imageName }: ProcessorFiles): [string, FamilyRow] {
  const modelType = textOf(config.model_type)
  const extractor = textOf(image.feature_extractor_type)?.replace('FeatureExtractor', 'ImageProcessor')
  const named = (textOf(image.image_processor_type) ?? extractor)?.replace(/(Fast|Pil)$/, '')
  const fallback = modelType === undefined ? undefined : familyOfModel[modelType]
  const kind = [named, fallback].find((name) => name !== undefined && Object.hasOwn(families, name))
  if (kind !== undefined) return [kind, families[kind]!]
  throw new AwqError(
    'UNSUPPORTED',
    `${imageName}: the image processor ${quoted(named ?? modelType ?? '(none named)')} is not one of ${Object.keys(families).join(', ')}`,
  )
}

/** A processor made of a checkpoint's files. Throws as `loadImageProcessor`. */
export function createImageProcessor(files: ProcessorFiles, options: ProcessorOptions = {}): ImageProcessor {
  const { backend = 'torchvision', settings: own = {} } = options
  const [kind, family] = familyOf(files)
  const modelType = textOf(files.config.model_type) ?? ''
  const settings = settingsOf({ ...files.image, ...overridden[modelType], ...own }, files.imageName)
  const { defaults } = family
  const steps = family.steps(settings, settings.resampling('resample', defaults.resample), backend)
  const levels = levelsOf({
    backend,
    doRescale: settings.flag('do_rescale', true),
    rescaleFactor: settings.number('rescale_factor', 1 / 255),
    doNormalize: settings.flag('do_normalize', true),
    mean: settings.channels('image_mean', defaults.mean),
    std: settings.channels('image_std', defaults.std),
  })
  const process = (image: RgbImage): ProcessedImage => {
    const { images, split, crops } = steps.tiles(image)
    const originalSize: Size = [image.height, image.width]
    if (steps.patches) {
      const { data, shape, grid } = patches(images[0]!, levels, steps.patches)
      return { pixelValues: data, shape, originalSize, grid: [1, ...grid] }
    }
    const { data, shape } = planes(images, levels)
    return {
      pixelValues: data,
      shape,
      originalSize,
      ...(split ? { split } : {}),
      ...(crops === undefined ? {} : { crops }),
    }
  }
  const prompt = promptRulesOf(modelType, { ...files, image: { ...files.image, ...own } })
  return { kind, backend, layout: steps.patches ? 'patches' : 'planes', process, ...(prompt ? { prompt } : {}) }
}

/**
 * The image processor of a checkpoint, by preprocessor_config.json or processor_config.json, config.json and tokenizer_config.json.
 * Throws NOT_FOUND when the folder has no image processor, UNSUPPORTED for a class of transformers that is not among `families`,
 * INVALID_FILE for settings of the wrong type.
 */
export async function loadImageProcessor(folder: Folder, options: ProcessorOptions = {}): Promise<ImageProcessor> {
  return createImageProcessor(await readProcessorFiles(folder), options)
}
