import { AwqError, quoted } from '@awq/tensor'
import { viewOf } from './bytes.ts'
import { type FormatHeader, type FormatRow, formats, type ImageFormat } from './formats.ts'

/** What a file says of itself before anything is decoded. */
export interface ImageHeader extends FormatHeader {
  readonly format: ImageFormat
}

const beginning = (bytes: Uint8Array): string => {
  const part = bytes.subarray(0, 24)
  const printable = part.every((byte) => (byte >= 0x20 && byte < 0x7f) || byte === 9 || byte === 10 || byte === 13)
  return printable
    ? `the text ${quoted(String.fromCharCode(...part))}`
    : `the bytes ${[...part.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')}`
}

/**
 * The format and the size of an image by its first bytes: PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF, whatever the file is called.
 * `name` is what messages call it. Throws INVALID_FILE when it is none of them, or damaged.
 */
export function readImageHeader(bytes: Uint8Array, name = 'the image'): ImageHeader {
  const view = viewOf(bytes, name)
  const known = Object.entries(formats) as [ImageFormat, FormatRow][]
  const [format, row] = known.find(([, { matches }]) => matches(view)) ?? []
  if (format === undefined || row === undefined) {
    const what = bytes.byteLength === 0 ? 'it is empty' : `it begins with ${beginning(bytes)}`
    throw new AwqError(
      'INVALID_FILE',
      `${name} is not an image: ${what}; PNG, JPEG, WebP, GIF, BMP, TIFF and AVIF are read`,
    )
  }
  const header = row.read(view, bytes, name)
  if (header.width < 1 || header.height < 1) {
    throw new AwqError('INVALID_FILE', `${name} (${format}) says that it has ${header.width} x ${header.height} pixels`)
  }
  return { format, ...header }
}
