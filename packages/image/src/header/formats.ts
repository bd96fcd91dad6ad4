import { readBmp } from './bmp.ts'
import type { ByteView } from './bytes.ts'
import type { OrientationTag } from './exif.ts'
import { readGif } from './gif.ts'
import { readHeif } from './heif.ts'
import { readJpeg } from './jpeg.ts'
import { readPng } from './png.ts'
import { readTiff } from './tiff.ts'
import { readWebp } from './webp.ts'

/** What the first bytes of a format say. */
export interface FormatHeader {
  /** Pixels in a row, as stored: before the orientation is applied. */
  readonly width: number
  readonly height: number
  /** Absent where the file has none, or none that means anything. */
  readonly orientation?: OrientationTag | undefined
  /** Whether the file is known to end before the image does. */
  readonly truncated?: boolean
}

/** A format: how its files begin, and how its size is read. */
export interface FormatRow {
  readonly mime: string
  readonly matches: (view: ByteView) => boolean
  /** Throws INVALID_FILE when the header is damaged or ends early. */
  readonly read: (view: ByteView, bytes: Uint8Array, name: string) => FormatHeader
}

const begins = (view: ByteView, at: number, text: string): boolean =>
  view.length >= at + text.length && view.text(at, text.length) === text

const avifBrands = ['avif', 'avis', 'mif1', 'msf1']
const heicBrands = ['heic', 'heix', 'heim', 'heis', 'hevc']

/** Both formats are boxes, and their first says what is in the others. */
const hasBrand = (view: ByteView, brands: readonly string[]): boolean =>
  begins(view, 4, 'ftyp') && brands.some((brand) => begins(view, 8, brand))

/** The formats that are recognised, by their usual names. */
export const formats = {
  png: { mime: 'image/png', matches: (view) => begins(view, 0, '\x89PNG\r\n\x1a\n'), read: readPng },
  jpeg: { mime: 'image/jpeg', matches: (view) => begins(view, 0, '\xff\xd8\xff'), read: readJpeg },
  webp: {
    mime: 'image/webp',
    matches: (view) => begins(view, 0, 'RIFF') && begins(view, 8, 'WEBP'),
    read: readWebp,
  },
  gif: { mime: 'image/gif', matches: (view) => begins(view, 0, 'GIF87a') || begins(view, 0, 'GIF89a'), read: readGif },
  bmp: { mime: 'image/bmp', matches: (view) => begins(view, 0, 'BM') && view.length > 26, read: readBmp },
  tiff: {
    mime: 'image/tiff',
    matches: (view) => begins(view, 0, 'II*\0') || begins(view, 0, 'MM\0*'),
    read: readTiff,
  },
  avif: { mime: 'image/avif', matches: (view) => hasBrand(view, avifBrands), read: readHeif },
  heic: { mime: 'image/heic', matches: (view) => hasBrand(view, heicBrands), read: readHeif },
} as const satisfies Record<string, FormatRow>

/** `png`, `jpeg`, `webp`, `gif`, `bmp`, `tiff`, `avif`, or `heic`, whose decoder few platforms have. */
export type ImageFormat = keyof typeof formats
