import { AwqError, quoted } from '@awq/tensor'
import { truncated, viewOf } from '../header/bytes.ts'

/** What a PNG file says of its pixels, and their compressed bytes. */
export interface PngFile {
  readonly width: number
  readonly height: number
  /** Bits of a sample: 1, 2, 4, 8 or 16. */
  readonly depth: number
  /** 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha. */
  readonly colour: number
  readonly interlaced: boolean
  readonly palette?: Uint8Array
  readonly transparency?: Uint8Array
  /** The pieces of one zlib stream. */
  readonly data: readonly Uint8Array[]
}

/** Depths by colour type (PNG, table 11.1). */
const depths: Readonly<Record<number, readonly number[]>> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1
  return value
})

function crcOf(bytes: Uint8Array): number {
  let value = 0xffffffff
  for (let at = 0; at < bytes.length; at++) value = crcTable[(value ^ bytes[at]!) & 0xff]! ^ (value >>> 8)
  return (value ^ 0xffffffff) >>> 0
}

const isCritical = (type: string): boolean => type.charCodeAt(0) < 0x60

/**
 * The chunks that make the image. Throws INVALID_FILE when the file ends early, a critical chunk's checksum is wrong, or the
 * header is not one that PNG has.
 */
export function readPngFile(bytes: Uint8Array, name: string): PngFile {
  const view = viewOf(bytes, name)
  const wrong = (what: string) => new AwqError('INVALID_FILE', `${name}: ${what}; the PNG file is damaged`)
  const found = new Map<string, Uint8Array>()
  const data: Uint8Array[] = []
  for (let at = 8; ; ) {
    // A file that ends early is read as far as it goes: its rows show whether an image is missing, or the end alone.
    if (at + 8 > bytes.byteLength && data.length > 0) break
    const length = view.u32(at)
    const type = view.text(at + 4, 4)
    const end = at + 8 + length
    if (type === 'IEND') break
    if (end + 4 > bytes.byteLength) {
      if (type !== 'IDAT') throw truncated(name)
      data.push(bytes.subarray(at + 8))
      break
    }
    const chunk = bytes.subarray(at + 8, end)
    if (isCritical(type) && crcOf(bytes.subarray(at + 4, end)) !== view.u32(end)) {
      throw wrong(`the checksum of its chunk ${quoted(type)} is wrong`)
    }
    if (type === 'IDAT') data.push(chunk)
    else if (!found.has(type)) found.set(type, chunk)
    at = end + 4
  }
  const header = found.get('IHDR')
  if (header === undefined || header.byteLength !== 13) throw wrong('it has no header')
  const fields = viewOf(header, name)
  const [depth, colour, interlace] = [fields.u8(8), fields.u8(9), fields.u8(12)]
  if (depths[colour]?.includes(depth) !== true || fields.u8(10) !== 0 || fields.u8(11) !== 0 || interlace > 1) {
    throw wrong(`its header has colour type ${colour}, ${depth} bits and interlacing ${interlace}`)
  }
  const palette = found.get('PLTE')
  const transparency = found.get('tRNS')
  if (colour === 3 && palette === undefined) throw wrong('it has no palette')
  if (data.length === 0) throw wrong('it has no pixels')
  return {
    width: fields.u32(0),
    height: fields.u32(4),
    depth,
    colour,
    interlaced: interlace === 1,
    ...(palette ? { palette } : {}),
    ...(transparency ? { transparency } : {}),
    data,
  }
}
