import { AwqError } from '@awq/tensor'
import type { RgbImage } from '../types.ts'
import { filters, type Resampling } from './filters.ts'
import { type Taps, tapsOf } from './taps.ts'

/**
 * Whose arithmetic is followed: processors of transformers use torchvision where it is installed and Pillow otherwise. They differ in the
 * last bit of some pixels, in the order of the two passes, and in where a crop of a smaller image lies.
 */
export type Backend = 'torchvision' | 'pil'

/** The most pixels that an image may be enlarged to: beyond it, a long thin image would fill the memory. */
const maxResizedPixels = 2 ** 27

function horizontally({ width, height, data }: RgbImage, to: number, taps: Taps): RgbImage {
  const { first, count, weights, stride, precision } = taps
  const half = precision === 0 ? 0 : 2 ** (precision - 1)
  const out = new Uint8ClampedArray(to * height * 3)
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < to; x++, at += 3) {
      let red = half
      let green = half
      let blue = half
      let from = (y * width + first[x]!) * 3
      const begin = x * stride
      const end = begin + count[x]!
      for (let tap = begin; tap < end; tap++, from += 3) {
        const weight = weights[tap]!
        red += Math.imul(data[from]!, weight)
        green += Math.imul(data[from + 1]!, weight)
        blue += Math.imul(data[from + 2]!, weight)
      }
      out[at] = red >> precision
      out[at + 1] = green >> precision
      out[at + 2] = blue >> precision
    }
  }
  return { width: to, height, data: new Uint8Array(out.buffer) }
}

function vertically({ width, data }: RgbImage, to: number, taps: Taps): RgbImage {
  const { first, count, weights, stride, precision } = taps
  const half = precision === 0 ? 0 : 2 ** (precision - 1)
  const row = width * 3
  const out = new Uint8ClampedArray(row * to)
  const sums = new Int32Array(row)
  for (let y = 0; y < to; y++) {
    sums.fill(half)
    for (let tap = 0; tap < count[y]!; tap++) {
      const weight = weights[y * stride + tap]!
      const from = (first[y]! + tap) * row
      for (let at = 0; at < row; at++) sums[at] = sums[at]! + Math.imul(data[from + at]!, weight)
    }
    const start = y * row
    for (let at = 0; at < row; at++) out[start + at] = sums[at]! >> precision
  }
  return { width, height: to, data: new Uint8Array(out.buffer) }
}

/** The input pixel of each output pixel, in the steps that Pillow takes: a sum, whose rounding decides ties. */
function nearestOf(from: number, to: number): number[] {
  const step = from / to
  let place = step * 0.5
  return Array.from({ length: to }, () => {
    const found = Math.min(from - 1, Math.trunc(place))
    place += step
    return found
  })
}

function nearest({ width, height, data }: RgbImage, toWidth: number, toHeight: number): RgbImage {
  const out = new Uint8Array(toWidth * toHeight * 3)
  const columns = nearestOf(width, toWidth)
  let at = 0
  for (const row of nearestOf(height, toHeight)) {
    for (const column of columns) {
      const from = (row * width + column) * 3
      out[at++] = data[from]!
      out[at++] = data[from + 1]!
      out[at++] = data[from + 2]!
    }
  }
  return { width: toWidth, height: toHeight, data: out }
}

/**
 * An image at another size, bit by bit what Pillow's `Image.resize` (13.0) or torchvision's `resize` of an 8-bit tensor with antialiasing
 * (0.29, on a processor with AVX2) give: two passes, each rounded to 8 bits. Throws UNSUPPORTED when the result would have more than
 * 128 Mi pixels.
 */
export function resize(
  image: RgbImage,
  width: number,
  height: number,
  resampling: Resampling,
  backend: Backend,
): RgbImage {
  if (width === image.width && height === image.height) return image
  // Pillow 13 begins with the columns where the height shrinks by more than twice as many pixels as the width.
  const shrinks = image.height - height
  const columnsFirst = backend === 'pil' && shrinks > 0 && shrinks > (image.width - width) * 2
  const between = columnsFirst ? image.width * height : width * image.height
  if (width < 1 || height < 1 || Math.max(width * height, between) > maxResizedPixels) {
    throw new AwqError(
      'UNSUPPORTED',
      `an image of ${image.width} x ${image.height} pixels would be made ${width} x ${height} for this model; crop it to a shape that is less long and thin`,
    )
  }
  if (resampling === 'nearest') return nearest(image, width, height)
  const precision = backend === 'pil' ? 'wide' : 'int16'
  const filter = filters[resampling]
  const across = (from: RgbImage): RgbImage =>
    width === image.width ? from : horizontally(from, width, tapsOf(image.width, width, filter, precision))
  const down = (from: RgbImage): RgbImage =>
    height === image.height ? from : vertically(from, height, tapsOf(image.height, height, filter, precision))
  return columnsFirst ? across(down(image)) : down(across(image))
}
