import type { DecodedPixels, RgbImage } from '../types.ts'

/** a / 255 as Pillow rounds it: shifts in place of a division. */
const over255 = (value: number): number => ((value >> 8) + value) >> 8

/** One channel over white, in the fixed point of Pillow's `alpha_composite` with an opaque background. */
const overWhite = (level: number, alpha: number): number => {
  const [front, back] = [alpha * 128, (255 - alpha) * 128]
  return over255(level * front + 255 * back + (0x80 << 7)) >> 7
}

/** RGB of what a decoder gave: alpha is dropped, or the image is laid over white. */
export function toRgb({ width, height, channels, data }: DecodedPixels, alpha: 'drop' | 'white'): RgbImage {
  if (channels === 3) return { width, height, data }
  const rgb = new Uint8Array(width * height * 3)
  for (let from = 0, to = 0; from < data.length; from += 4) {
    const opacity = alpha === 'drop' ? 255 : data[from + 3]!
    for (let channel = 0; channel < 3; channel++) {
      const level = data[from + channel]!
      rgb[to++] = opacity === 255 ? level : overWhite(level, opacity)
    }
  }
  return { width, height, data: rgb }
}
