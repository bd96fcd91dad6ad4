import { windowOf } from '../pixels/frame.ts'
import type { RgbImage } from '../types.ts'

/** When an image is cut into crops. */
export interface PanAndScanLimits {
  /** Pixels that the shorter side of a crop has at least. */
  readonly smallest: number
  /** Crops at most. */
  readonly most: number
  /** How many times as long as wide an image must be. */
  readonly ratio: number
}

/** The crops that Gemma 3's processor adds to a long image: along its longer side, none where they would be too small. */
export function panAndScan(image: RgbImage, { smallest, most, ratio }: PanAndScanLimits): RgbImage[] {
  const { width, height } = image
  const [long, short] = width >= height ? [width, height] : [height, width]
  if (long / short < ratio) return []
  const wanted = Math.min(Math.floor(long / smallest), Math.floor(long / short + 0.5))
  const count = Math.min(most, Math.max(2, wanted))
  const edge = Math.ceil(long / count)
  if (Math.min(edge, short) < smallest) return []
  return Array.from({ length: count }, (_, index) => {
    const start = edge * index
    const size = Math.max(0, Math.min(edge, long - start))
    return width >= height ? windowOf(image, start, 0, size, height) : windowOf(image, 0, start, width, size)
  }).filter((crop) => crop.width > 0 && crop.height > 0)
}
