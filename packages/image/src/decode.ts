import { decodeWithPlatform } from '#platform'
import { decodeBmp } from './bmp/decode.ts'
import { decodeGif } from './gif/decode.ts'
import { truncated } from './header/bytes.ts'
import { type ImageHeader, readImageHeader } from './header/read-header.ts'
import { checkSize, defaultMaxPixels } from './limits.ts'
import { orient } from './pixels/orient.ts'
import { toRgb } from './pixels/to-rgb.ts'
import { decodePng } from './png/decode.ts'
import type { DecodedPixels, RgbImage } from './types.ts'

/** How an image is decoded. */
export interface DecodeOptions {
  /** What error messages call the image: a path, a URL. */
  readonly name?: string
  /** More pixels than this are refused before anything is decoded (default 64 Mi). */
  readonly maxPixels?: number
  /**
   * `drop` (default) keeps the colours and forgets how transparent they are, which is what transformers' `load_image` does; `white` lays
   * the image over white, which is what its processors (5.23; not 5.17) do
   * with a PIL image that they are given as it is.
   */
  readonly alpha?: 'drop' | 'white'
  /** `apply` (default) turns the image as its EXIF data says, as `load_image` does; `ignore` leaves it as it is stored. */
  readonly orientation?: 'apply' | 'ignore'
  readonly signal?: AbortSignal | undefined
}

/** The same file with an upright orientation, for decoders that turn images by themselves. */
function withoutOrientation(bytes: Uint8Array, { orientation }: ImageHeader): Uint8Array {
  if (orientation?.offset === undefined || orientation.value === 1) return bytes
  const copy = new Uint8Array(bytes)
  copy[orientation.offset] = 1
  return copy
}

async function pixelsOf(bytes: Uint8Array, header: ImageHeader, alpha: boolean, name: string): Promise<DecodedPixels> {
  if (header.format === 'png') return decodePng(bytes, name, alpha)
  if (header.format === 'bmp') return decodeBmp(bytes, name)
  if (header.format === 'gif') return decodeGif(bytes, name, alpha)
  return decodeWithPlatform(withoutOrientation(bytes, header), header.format, name)
}

/**
 * The pixels of an image file, in the way of transformers' `load_image`: first frame, upright, RGB of 8 bits, no colour profile
 * applied. PNG, GIF and BMP are decoded here; other formats by sharp in Node (an optional dependency), by the browser's decoders elsewhere.
 * Throws INVALID_FILE for what is not an image, is damaged or ends early; UNSUPPORTED for more pixels than `maxPixels`, and for a
 * format whose decoder is missing.
 */
export async function decodeImage(bytes: Uint8Array, options: DecodeOptions = {}): Promise<RgbImage> {
  const { name = 'the image', maxPixels = defaultMaxPixels, alpha = 'drop', orientation = 'apply', signal } = options
  signal?.throwIfAborted()
  const header = readImageHeader(bytes, name)
  checkSize(header, maxPixels, `${name} (${header.format})`)
  if (header.truncated === true) throw truncated(name)
  const decoded = await pixelsOf(bytes, header, alpha === 'white', name)
  signal?.throwIfAborted()
  const image = toRgb(decoded, alpha)
  return orientation === 'apply' ? orient(image, header.orientation?.value ?? 1) : image
}
