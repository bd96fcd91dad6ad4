import { AwqError } from '@awq/tensor'
import { drawnPixels } from '#platform'
import { checkSize, defaultMaxPixels } from '../limits.ts'
import type { DecodedPixels, RgbImage } from '../types.ts'
import { toRgb } from './to-rgb.ts'

/** Something with a size that a page can draw: an ImageBitmap, an image, a canvas, a video. */
export interface Drawable {
  readonly width: number
  readonly height: number
}

/** Pixels that a program has already, 8 bits for each sample: RGB, or RGBA as `ImageData` has it. */
export interface GivenPixels extends Drawable {
  readonly data: Uint8Array | Uint8ClampedArray
}

const whole = (side: unknown): boolean => Number.isInteger(side) && (side as number) > 0

const hasPixels = (source: Drawable): source is GivenPixels => 'data' in source && source.data !== undefined

const samplesOf = (source: GivenPixels, name: string): DecodedPixels => {
  const { width, height, data } = source
  const bytes = data instanceof Uint8Array || data instanceof Uint8ClampedArray ? data : undefined
  const channels = ([3, 4] as const).find((count) => bytes?.length === width * height * count)
  if (!bytes || !channels || !whole(width) || !whole(height)) {
    const holds = bytes ? `${bytes.length} bytes` : 'no bytes'
    throw new AwqError(
      'INVALID_ARGUMENT',
      `${name}: pixels of ${width} x ${height} are ${holds}; there must be 3 (RGB) or 4 (RGBA) for each, in a Uint8Array`,
    )
  }
  return { width, height, channels, data: new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length) }
}

/**
 * The pixels of what is no file: those that a program has, or what a page can draw. Alpha is dropped, as `decodeImage` does.
 * @param options `name` is what messages call it
 * @throws AwqError INVALID_ARGUMENT for pixels of another number, or what can not be drawn; UNSUPPORTED for more than `maxPixels`, and
 *   in Node for anything that has no `data`
 */
export async function pixelsOf(
  source: GivenPixels | Drawable,
  options: { readonly name?: string; readonly maxPixels?: number } = {},
): Promise<RgbImage> {
  const { name = 'the image', maxPixels = defaultMaxPixels } = options
  if (hasPixels(source)) {
    checkSize(source, maxPixels, name)
    return toRgb(samplesOf(source, name), 'drop')
  }
  return toRgb(await drawnPixels(source, maxPixels, name), 'drop')
}
