import { AwqError } from '@awq/tensor'
import type { RgbImage } from '../types.ts'
import type { Size } from './sizes.ts'

/** The images that one image becomes, all of one size, before their bytes become numbers. */
export interface Tiles {
  readonly images: readonly RgbImage[]
  /** Rows and columns of tiles that the image was split into (Idefics 3); 0 and 0 when it was not. */
  readonly split?: { readonly rows: number; readonly columns: number }
  /** Crops beside the whole image (Gemma 3's pan and scan). */
  readonly crops?: number
}

/** Bytes to numbers: `normalised[channel * 256 + byte]`. */
export type Levels = Float32Array

/** How bytes become numbers, in transformers' two ways of rounding. */
export interface LevelSettings {
  readonly backend: 'torchvision' | 'pil'
  readonly doRescale: boolean
  readonly rescaleFactor: number
  readonly doNormalize: boolean
  readonly mean: readonly [number, number, number]
  readonly std: readonly [number, number, number]
}

/**
 * The number of every byte in every channel: (byte * factor - mean) / std, in float32. Torchvision's processors divide mean and std by the factor
 * first, Pillow's multiply each byte; the results differ in their last bits.
 */
export function levelsOf({ backend, doRescale, rescaleFactor, doNormalize, mean, std }: LevelSettings): Levels {
  const f = Math.fround
  const levels = new Float32Array(3 * 256)
  for (let channel = 0; channel < 3; channel++) {
    const fused = backend === 'torchvision' && doRescale && doNormalize
    const unit = f(1 / rescaleFactor)
    const shift = fused ? f(f(mean[channel]!) * unit) : f(mean[channel]!)
    const divisor = fused ? f(f(std[channel]!) * unit) : f(std[channel]!)
    for (let byte = 0; byte < 256; byte++) {
      const factor = backend === 'torchvision' ? f(rescaleFactor) : rescaleFactor
      const scaled = doRescale && !fused ? f(byte * factor) : byte
      levels[channel * 256 + byte] = doNormalize ? f(f(scaled - shift) / divisor) : scaled
    }
  }
  return levels
}

/** Images of one size as [image, channel, row, column]. Throws INVALID_FILE when their sizes differ. */
export function planes(images: readonly RgbImage[], levels: Levels): { data: Float32Array; shape: number[] } {
  const { width, height } = images[0]!
  if (images.some((image) => image.width !== width || image.height !== height)) {
    throw new AwqError(
      'INVALID_FILE',
      'the image processor makes tiles of several sizes out of one image; its sizes contradict each other',
    )
  }
  const data = new Float32Array(images.length * 3 * width * height)
  let at = 0
  for (const image of images) {
    for (let channel = 0; channel < 3; channel++) {
      for (let from = channel; from < image.data.length; from += 3)
        data[at++] = levels[channel * 256 + image.data[from]!]!
    }
  }
  return { data, shape: [images.length, 3, height, width] }
}

/** How Qwen's processors cut an image into patches. */
export interface PatchSettings {
  /** Pixels of a patch's side. */
  readonly patch: number
  /** Frames of a patch: a still image is repeated. */
  readonly frames: number
  /** Patches of a side that the model merges into one token; patches of such a square lie together. */
  readonly merge: number
}

/**
 * An image as patches: [rows / merge, columns / merge, merge, merge] of them, each [channel, frame, row, column], and the numbers of patches.
 * Throws UNSUPPORTED when the sides are no multiples of `patch * merge`.
 */
export function patches(
  image: RgbImage,
  levels: Levels,
  settings: PatchSettings,
): { data: Float32Array; shape: number[]; grid: Size } {
  const { patch, frames, merge } = settings
  const { width, height, data: bytes } = image
  const step = patch * merge
  if (width % step !== 0 || height % step !== 0) {
    throw new AwqError(
      'UNSUPPORTED',
      `an image of ${width} x ${height} pixels, which the processor does not resize, must have sides that are multiples of ${step}`,
    )
  }
  const [rows, columns] = [height / patch, width / patch]
  const length = 3 * frames * patch * patch
  const data = new Float32Array(rows * columns * length)
  let at = 0
  const cut = (row: number, column: number): void => {
    const corner = (row * width + column) * patch
    for (let channel = 0; channel < 3; channel++) {
      const start = at
      for (let y = 0; y < patch; y++) {
        for (let x = 0; x < patch; x++)
          data[at++] = levels[channel * 256 + bytes[(corner + y * width + x) * 3 + channel]!]!
      }
      for (let frame = 1; frame < frames; frame++, at += patch * patch)
        data.copyWithin(at, start, start + patch * patch)
    }
  }
  for (let square = 0; square < (rows / merge) * (columns / merge); square++) {
    const top = Math.floor(square / (columns / merge)) * merge
    const left = (square % (columns / merge)) * merge
    for (let part = 0; part < merge * merge; part++) cut(top + Math.floor(part / merge), left + (part % merge))
  }
  return { data, shape: [rows * columns, length], grid: [rows, columns] }
}
