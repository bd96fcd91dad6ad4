import { AwqError, roundHalfEven } from '@awq/tensor'

/** Height and width, in transformers' order. */
export type Size = readonly [height: number, width: number]

/** The keys that a processor's `size` may have; which of them are there decides how an image is resized. */
export interface SizeSetting {
  readonly height?: number
  readonly width?: number
  readonly shortest_edge?: number
  readonly longest_edge?: number
  readonly max_height?: number
  readonly max_width?: number
}

/** The shortest side made `shortest`, unless the longest would pass `longest`: transformers' `get_size_with_aspect_ratio`. */
function withinEdges([height, width]: Size, shortest: number, longest: number): Size {
  const [small, large] = [Math.min(height, width), Math.max(height, width)]
  const limited = (large / small) * shortest > longest
  const exact = limited ? (longest * small) / large : shortest
  const edge = limited ? roundHalfEven(exact) : shortest
  if ((height <= width && height === edge) || (width <= height && width === edge)) return [height, width]
  if (width < height) return [Math.trunc((exact * height) / width), edge]
  return [edge, Math.trunc((exact * width) / height)]
}

/** The size that an image is resized to by a processor's `size`. Throws INVALID_FILE when its keys are none that say so. */
export function resizedSize(image: Size, size: SizeSetting): Size {
  const [height, width] = image
  const { shortest_edge: shortest, longest_edge: longest, max_height: maxHeight, max_width: maxWidth } = size
  if (shortest && longest) return withinEdges(image, shortest, longest)
  if (shortest) {
    const long = Math.trunc((shortest * Math.max(height, width)) / Math.min(height, width))
    return width <= height ? [long, shortest] : [shortest, long]
  }
  if (maxHeight && maxWidth) {
    const scale = Math.min(maxHeight / height, maxWidth / width)
    return [Math.trunc(height * scale), Math.trunc(width * scale)]
  }
  if (size.height && size.width) return [size.height, size.width]
  throw new AwqError(
    'INVALID_FILE',
    `the image processor's size ${JSON.stringify(size)} does not say a height and a width, or an edge`,
  )
}

/** The longest aspect ratio that Qwen's processors take. */
const longestAspect = 200

/**
 * Qwen's `smart_resize`: both sides multiples of `factor`, between `least` and `most` pixels, the aspect ratio nearly kept.
 * Throws UNSUPPORTED for an image more than 200 times as long as wide, as transformers does.
 */
export function smartSize([height, width]: Size, factor: number, least: number, most: number): Size {
  if (Math.max(height, width) / Math.min(height, width) > longestAspect) {
    throw new AwqError(
      'UNSUPPORTED',
      `an image of ${width} x ${height} pixels is more than ${longestAspect} times as long as wide, which this model does not take; crop it`,
    )
  }
  const near = (side: number): number => roundHalfEven(side / factor) * factor
  const size: Size = [near(height), near(width)]
  if (size[0] * size[1] > most) {
    const shrink = Math.sqrt((height * width) / most)
    const below = (side: number): number => Math.max(factor, Math.floor(side / shrink / factor) * factor)
    return [below(height), below(width)]
  }
  if (size[0] * size[1] < least) {
    const grow = Math.sqrt(least / (height * width))
    const above = (side: number): number => Math.ceil((side * grow) / factor) * factor
    return [above(height), above(width)]
  }
  return size
}

/** The resolution of a LLaVA-NeXT grid that keeps most of an image, and of those the one with least around it. */
export function bestResolution([height, width]: Size, resolutions: readonly Size[]): Size {
  let best: Size | undefined
  let [most, least] = [0, Number.POSITIVE_INFINITY]
  for (const [tall, wide] of resolutions) {
    const scale = Math.min(wide / width, tall / height)
    const kept = Math.min(Math.trunc(width * scale) * Math.trunc(height * scale), width * height)
    const wasted = wide * tall - kept
    if (kept > most || (kept === most && wasted < least)) [most, least, best] = [kept, wasted, [tall, wide]]
  }
  if (best === undefined) {
    throw new AwqError(
      'UNSUPPORTED',
      `an image of ${width} x ${height} pixels fits none of this model's resolutions; crop it`,
    )
  }
  return best
}

/** The largest size of the image's aspect ratio within `target`: transformers' `get_patch_output_size`. */
export function sizeWithin([height, width]: Size, [tall, wide]: Size): Size {
  const [across, down] = [wide / width, tall / height]
  return across < down
    ? [Math.min(Math.ceil(height * across), tall), wide]
    : [tall, Math.min(Math.ceil(width * down), wide)]
}

/** No side of an image of Idefics 3 is longer. */
const ideficsLongest = 4096

/** Idefics 3: the longest side made `longest` (at most 4096), the other in proportion and even. */
export function ideficsSize([height, width]: Size, longest: number): Size {
  const even = (side: number): number => side + (side % 2)
  const aspect = width / height
  const scaled: Size =
    width >= height
      ? [Math.max(even(Math.trunc(longest / aspect)), 1), longest]
      : [longest, Math.max(even(Math.trunc(longest * aspect)), 1)]
  const ratio = scaled[1] / scaled[0]
  if (Math.max(...scaled) <= ideficsLongest) return scaled
  return scaled[1] >= scaled[0]
    ? [Math.max(Math.trunc(ideficsLongest / ratio), 1), ideficsLongest]
    : [ideficsLongest, Math.max(Math.trunc(ideficsLongest * ratio), 1)]
}

/** Idefics 3: both sides multiples of a tile's edge, the longer one rounded up first. */
export function ideficsTiledSize([height, width]: Size, edge: number): Size {
  const up = (side: number): number => Math.ceil(side / edge) * edge
  const aspect = width / height
  return width >= height
    ? [up(Math.trunc(up(width) / aspect)), up(width)]
    : [up(height), up(Math.trunc(up(height) * aspect))]
}
