import { AwqError } from '@awq/tensor'
import type { Resampling } from '../pixels/filters.ts'
import { centreCrop, padAround, windowOf } from '../pixels/frame.ts'
import { type Backend, resize } from '../pixels/resize.ts'
import type { RgbImage } from '../types.ts'
import { panAndScan } from './pan-and-scan.ts'
import type { SettingsReader } from './settings.ts'
import {
  bestResolution,
  ideficsSize,
  ideficsTiledSize,
  resizedSize,
  type Size,
  type SizeSetting,
  sizeWithin,
  smartSize,
} from './sizes.ts'
import type { PatchSettings, Tiles } from './tiles.ts'

/** What a family's processor does when its file does not say otherwise. */
export interface FamilyDefaults {
  readonly resample: Resampling
  readonly mean: readonly [number, number, number]
  readonly std: readonly [number, number, number]
}

/** The steps of a processor: an image to tiles, then to numbers. */
export interface Steps {
  readonly tiles: (image: RgbImage) => Tiles
  /** Where the tiles become patches in a row and no planes. */
  readonly patches?: PatchSettings
}

/** A family of processors: defaults, and how its settings become steps. */
export interface FamilyRow {
  readonly defaults: FamilyDefaults
  readonly steps: (settings: SettingsReader, resample: Resampling, backend: Backend) => Steps
}

const clip = {
  resample: 'bicubic',
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
} as const
const half = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } as const
const sizeOf = ({ height, width }: RgbImage): Size => [height, width]

/** `resize`, `centre crop` and `pad to a square`, each where the settings ask for it: CLIP, LLaVA and SigLIP. */
function plain(
  settings: SettingsReader,
  resample: Resampling,
  backend: Backend,
  own: { size: SizeSetting; square: boolean; crop: boolean; background?: readonly number[] },
): Steps {
  const size = settings.size('size', own.size, own.square)
  const crop = settings.size('crop_size', { height: 224, width: 224 }, true)
  const [resizes, crops] = [settings.flag('do_resize', true), settings.flag('do_center_crop', own.crop)]
  const pads = own.background !== undefined && settings.flag('do_pad', false)
  const [red, green, blue] = settings
    .channels('image_mean', own.background ?? [0, 0, 0])
    .map((level) => Math.trunc(level * 255)) as [number, number, number]
  const squared = (image: RgbImage): RgbImage => {
    const side = Math.max(image.width, image.height)
    return padAround(image, side, side, [red, green, blue])
  }
  return {
    tiles: (image) => {
      const whole = pads ? squared(image) : image
      const [height, width] = resizes ? resizedSize(sizeOf(whole), size) : sizeOf(whole)
      const resized = resize(whole, width, height, resample, backend)
      return { images: [crops ? centreCrop(resized, crop.width!, crop.height!, backend) : resized] }
    },
  }
}

/** No model takes so many tiles of one image; more are an error in its settings. */
const mostTiles = 4096

/** The pieces of an image in a grid of squares of side `edge`, row by row; those at the right and the bottom may be smaller. */
function pieces(image: RgbImage, edge: number): RgbImage[] {
  const count = Math.ceil(image.height / edge) * Math.ceil(image.width / edge)
  if (count > mostTiles)
    throw new AwqError('INVALID_FILE', `the image processor would cut an image into ${count} tiles of ${edge} pixels`)
  const found: RgbImage[] = []
  for (let top = 0; top < image.height; top += edge) {
    for (let left = 0; left < image.width; left += edge) {
      found.push(windowOf(image, left, top, Math.min(edge, image.width - left), Math.min(edge, image.height - top)))
    }
  }
  return found
}

function llavaNext(settings: SettingsReader, resample: Resampling, backend: Backend): Steps {
  const size = settings.size('size', { shortest_edge: 224 }, false)
  const crop = settings.size('crop_size', { height: 224, width: 224 }, true)
  const [resizes, crops] = [settings.flag('do_resize', true), settings.flag('do_center_crop', true)]
  const resolutions = settings.resolutions('image_grid_pinpoints', llavaResolutions)
  const whole: Size = size.height && size.width ? [size.height, size.width] : [size.shortest_edge!, size.shortest_edge!]
  const edge = crop.height ?? size.height ?? size.shortest_edge!
  const to = (image: RgbImage, [height, width]: Size): RgbImage => resize(image, width, height, resample, backend)
  return {
    tiles: (image) => {
      const resolution = bestResolution(sizeOf(image), resolutions)
      const fitted = to(image, sizeWithin(sizeOf(image), resolution))
      const spare = sizeWithin(sizeOf(fitted), resolution)
      const padded = padAround(
        fitted,
        fitted.width + resolution[1] - spare[1],
        fitted.height + resolution[0] - spare[0],
      )
      const tiles = [to(image, whole), ...pieces(padded, edge)].map((tile) => {
        const resized = resizes ? to(tile, resizedSize(sizeOf(tile), size)) : tile
        return crops ? centreCrop(resized, crop.width!, crop.height!, backend) : resized
      })
      return { images: tiles }
    },
  }
}

const llavaResolutions: readonly Size[] = [
  [336, 672],
  [672, 336],
  [672, 672],
  [1008, 336],
  [336, 1008],
]

function qwen(settings: SettingsReader, resample: Resampling, backend: Backend): Steps {
  const size = settings.size('size', {}, false)
  const least = settings.count('min_pixels', size.shortest_edge ?? 56 * 56)
  const most = settings.count('max_pixels', size.longest_edge ?? 28 * 28 * 1280)
  const patch = settings.count('patch_size', 14)
  const merge = settings.count('merge_size', 2)
  const resizes = settings.flag('do_resize', true)
  return {
    tiles: (image) => {
      const [height, width] = resizes ? smartSize(sizeOf(image), patch * merge, least, most) : sizeOf(image)
      return { images: [resize(image, width, height, resample, backend)] }
    },
    patches: { patch, merge, frames: settings.count('temporal_patch_size', 2) },
  }
}

function idefics(settings: SettingsReader, resample: Resampling, backend: Backend): Steps {
  const size = settings.size('size', { longest_edge: 4 * 364 }, false)
  const edge = settings.size('max_image_size', { longest_edge: 364 }, false).longest_edge
  if (edge === undefined) throw new AwqError('INVALID_FILE', `${settings.name}: max_image_size has no longest_edge`)
  const [resizes, splits] = [settings.flag('do_resize', true), settings.flag('do_image_splitting', true)]
  const to = (image: RgbImage, [height, width]: Size): RgbImage => resize(image, width, height, resample, backend)
  const first = (image: RgbImage): Size =>
    size.longest_edge ? ideficsSize(sizeOf(image), size.longest_edge) : resizedSize(sizeOf(image), size)
  return {
    tiles: (image) => {
      const resized = resizes ? to(image, first(image)) : image
      if (!splits) return { images: [to(resized, [edge, edge])], split: { rows: 0, columns: 0 } }
      const whole = to(resized, ideficsTiledSize(sizeOf(resized), edge))
      if (whole.height <= edge && whole.width <= edge) return { images: [whole], split: { rows: 0, columns: 0 } }
      const split = { rows: whole.height / edge, columns: whole.width / edge }
      return { images: [...pieces(whole, edge), to(whole, [edge, edge])], split }
    },
  }
}

function gemma(settings: SettingsReader, resample: Resampling, backend: Backend): Steps {
  const size = settings.size('size', { height: 224, width: 224 }, true)
  const resizes = settings.flag('do_resize', true)
  const scan = settings.flag('do_pan_and_scan', false)
  const limits = {
    smallest: settings.count('pan_and_scan_min_crop_size', 256),
    most: settings.count('pan_and_scan_max_num_crops', 4),
    ratio: settings.number('pan_and_scan_min_ratio_to_activate', 1.2),
  }
  const resized = (image: RgbImage): RgbImage => {
    if (!resizes && !scan) return image
    const [height, width] = resizedSize(sizeOf(image), size)
    return resize(image, width, height, resample, backend)
  }
  return {
    tiles: (image) => {
      const crops = scan ? panAndScan(image, limits) : []
      return { images: [image, ...crops].map(resized), crops: crops.length }
    },
  }
}

const clipSize = { size: { shortest_edge: 224 }, square: false, crop: true }
const siglipSize = { size: { height: 224, width: 224 }, square: false, crop: false }
const ideficsRow: FamilyRow = { defaults: { resample: 'lanczos', ...half }, steps: idefics }

/** The processors by transformers' class names, without `Fast` or `Pil` at the end. */
export const families: Readonly<Record<string, FamilyRow>> = {
  CLIPImageProcessor: { defaults: clip, steps: (s, r, b) => plain(s, r, b, { ...clipSize }) },
  LlavaImageProcessor: { defaults: clip, steps: (s, r, b) => plain(s, r, b, { ...clipSize, background: clip.mean }) },
  LlavaNextImageProcessor: { defaults: clip, steps: llavaNext },
  Qwen2VLImageProcessor: { defaults: clip, steps: qwen },
  Idefics3ImageProcessor: ideficsRow,
  SmolVLMImageProcessor: ideficsRow,
  SiglipImageProcessor: { defaults: { resample: 'bicubic', ...half }, steps: (s, r, b) => plain(s, r, b, siglipSize) },
  Gemma3ImageProcessor: { defaults: { resample: 'bilinear', ...half }, steps: gemma },
}

/** The processor of a model whose file does not name one, by `model_type`. */
export const familyOfModel: Readonly<Record<string, string>> = {
  llava: 'LlavaImageProcessor',
  llava_next: 'LlavaNextImageProcessor',
  qwen2_vl: 'Qwen2VLImageProcessor',
  qwen2_5_vl: 'Qwen2VLImageProcessor',
  idefics3: 'Idefics3ImageProcessor',
  smolvlm: 'SmolVLMImageProcessor',
  gemma3: 'Gemma3ImageProcessor',
  paligemma: 'SiglipImageProcessor',
}
