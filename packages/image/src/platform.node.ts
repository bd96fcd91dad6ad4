import { AwqError, messageOf } from '@awq/tensor'
import type { ImageFormat } from './header/formats.ts'
import type { Drawable } from './pixels/given.ts'
import type { DecodedPixels } from './types.ts'

type Sharp = typeof import('sharp').default

/** sharp, loaded when an image needs it. Throws UNSUPPORTED where it is not installed. */
async function loadSharp(format: ImageFormat, name: string): Promise<Sharp> {
  try {
    const { default: sharp } = await import('sharp')
    return sharp
  } catch (cause) {
    throw new AwqError(
      'UNSUPPORTED',
      `${name}: ${format} images are decoded by the package sharp, which is not installed here: npm install sharp. PNG, GIF and BMP need nothing`,
      { cause },
    )
  }
}

/** Red, green or blue of ink and black, as Pillow's conversion of CMYK (samples are ink: 0 is none). */
function inkToLevel(ink: number, black: number): number {
  const light = 255 - black
  const product = ink * light + 128
  return Math.max(0, light - (((product >> 8) + product) >> 8))
}

/** Interleaved samples of 1 to 4 channels as RGB, or RGB and alpha. */
function interleaved(samples: Uint8Array, width: number, height: number, channels: number): DecodedPixels {
  if (channels === 3 || channels === 4) return { width, height, channels, data: samples }
  const wide = channels === 2 ? 4 : 3
  const data = new Uint8Array(width * height * wide)
  for (let pixel = 0; pixel < width * height; pixel++) {
    data.fill(samples[pixel * channels]!, pixel * wide, pixel * wide + 3)
    if (wide === 4) data[pixel * wide + 3] = samples[pixel * channels + 1]!
  }
  return { width, height, channels: wide, data }
}

/** Decodes the first frame by sharp: colour profiles not applied, the orientation left as it is stored. */
export async function decodeWithPlatform(bytes: Uint8Array, format: ImageFormat, name: string): Promise<DecodedPixels> {
  const sharp = await loadSharp(format, name)
  try {
    const open = () =>
      sharp(bytes, {
        failOn: format === 'tiff' ? 'warning' : 'truncated',
        limitInputPixels: false,
        ignoreIcc: true,
        pages: 1,
      })
    const { space, depth } = await open().metadata()
    if (space === 'cmyk') {
      const { data, info } = await open()
        .pipelineColourspace('cmyk')
        .toColourspace('cmyk')
        .raw()
        .toBuffer({ resolveWithObject: true })
      const rgb = new Uint8Array(info.width * info.height * 3)
      for (let from = 0, to = 0; from < data.length; from += info.channels) {
        for (let channel = 0; channel < 3; channel++) rgb[to++] = inkToLevel(data[from + channel]!, data[from + 3]!)
      }
      return { width: info.width, height: info.height, channels: 3, data: rgb }
    }
    if (space === 'grey16' && depth === 'ushort') {
      // PIL cuts grey levels of 16 bits off at 255.
      const { data, info } = await open()
        .toColourspace('grey16')
        .raw({ depth: 'ushort' })
        .toBuffer({ resolveWithObject: true })
      const levels = new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2)
      return interleaved(
        Uint8Array.from(levels, (level) => Math.min(level, 255)),
        info.width,
        info.height,
        info.channels,
      )
    }
    const { data, info } = await open().raw().toBuffer({ resolveWithObject: true })
    return interleaved(
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      info.width,
      info.height,
      info.channels,
    )
  } catch (cause) {
    throw new AwqError(
      'INVALID_FILE',
      `${name} (${format}) cannot be decoded: ${messageOf(cause)}; where the file is whole, save it as PNG or JPEG`,
      { cause },
    )
  }
}

/** Nothing can be drawn here: throws UNSUPPORTED. */
export async function drawnPixels(_source: Drawable, _maxPixels: number, name: string): Promise<DecodedPixels> {
  throw new AwqError(
    'UNSUPPORTED',
    `${name} has no data: give the bytes of a file, or { width, height, data } with 3 (RGB) or 4 (RGBA) bytes for each pixel`,
  )
}
