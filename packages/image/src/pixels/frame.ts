import type { RgbImage } from '../types.ts'
import type { Backend } from './resize.ts'

/**
 * The part of an image from (left, top), of the given size. Where it reaches beyond the image, pixels are `fill`.
 */
export function windowOf(
  image: RgbImage,
  left: number,
  top: number,
  width: number,
  height: number,
  fill: readonly [number, number, number] = [0, 0, 0],
): RgbImage {
  const inside = left >= 0 && top >= 0 && left + width <= image.width && top + height <= image.height
  if (inside && width === image.width && height === image.height) return image
  const data = new Uint8Array(width * height * 3)
  if (!inside && fill.some((level) => level !== 0)) {
    for (let at = 0; at < data.length; at++) data[at] = fill[at % 3]!
  }
  const from = Math.max(0, left)
  const to = Math.min(image.width, left + width)
  for (let y = Math.max(0, top); y < Math.min(image.height, top + height) && from < to; y++) {
    const row = image.data.subarray((y * image.width + from) * 3, (y * image.width + to) * 3)
    data.set(row, ((y - top) * width + from - left) * 3)
  }
  return { width, height, data }
}

/** Where a crop of `want` out of `have` pixels begins; negative when the image is smaller and black goes around it. */
function centred(have: number, want: number, backend: Backend): number {
  if (have >= want) return Math.floor((have - want) / 2)
  const spare = want - have
  return -(backend === 'pil' ? Math.ceil(spare / 2) : Math.floor(spare / 2))
}

/** The middle of an image; black around it where it is smaller (on the odd pixel the backends differ). */
export const centreCrop = (image: RgbImage, width: number, height: number, backend: Backend): RgbImage =>
  windowOf(image, centred(image.width, width, backend), centred(image.height, height, backend), width, height)

/** An image in the middle of a larger one; of an odd remainder, the larger half lies below and to the right. */
export function padAround(
  image: RgbImage,
  width: number,
  height: number,
  fill: readonly [number, number, number] = [0, 0, 0],
): RgbImage {
  const half = (spare: number): number => -Math.floor(spare / 2)
  return windowOf(image, half(width - image.width), half(height - image.height), width, height, fill)
}
