import { AwqError } from '@awq/tensor'
import { type ByteView, viewOf } from '../header/bytes.ts'
import type { DecodedPixels } from '../types.ts'
import { inflateGif } from './lzw.ts'

/** First row and distance of the rows of each pass (GIF89a, appendix E). */
const interlaced = [
  [0, 8],
  [4, 8],
  [2, 4],
  [1, 2],
] as const

/** The data of a chain of sub-blocks, and where it ends. */
function blocksAt(view: ByteView, bytes: Uint8Array, start: number): { data: Uint8Array; end: number } {
  const blocks: Uint8Array[] = []
  let at = start
  for (let size = view.u8(at); size > 0; size = view.u8(at)) {
    view.u8(at + size)
    blocks.push(bytes.subarray(at + 1, at + 1 + size))
    at += size + 1
  }
  const data = new Uint8Array(blocks.reduce((sum, block) => sum + block.length, 0))
  let filled = 0
  for (const block of blocks) {
    data.set(block, filled)
    filled += block.length
  }
  return { data, end: at + 1 }
}

const paletteBytes = (flags: number): number => ((flags & 0x80) === 0 ? 0 : 3 << ((flags & 7) + 1))

/**
 * The first frame of a GIF file on its screen, as Pillow shows it: what the frame leaves free has the transparent colour, or colour 0.
 * With `alpha` there are 4 channels where a colour is transparent. Throws INVALID_FILE when the file is damaged or ends early.
 */
export function decodeGif(bytes: Uint8Array, name: string, alpha: boolean): DecodedPixels {
  const view = viewOf(bytes, name)
  const [width, height] = [view.u16(6, true), view.u16(8, true)]
  const global = paletteBytes(view.u8(10))
  let clear = -1
  let at = 13 + global
  while (view.u8(at) === 0x21) {
    const { data, end } = blocksAt(view, bytes, at + 2)
    if (view.u8(at + 1) === 0xf9 && data.length >= 4 && (data[0]! & 1) === 1) clear = data[3]!
    at = end
  }
  if (view.u8(at) !== 0x2c) throw new AwqError('INVALID_FILE', `${name}: a GIF file without an image in it`)
  const [left, top, wide, tall] = [1, 3, 5, 7].map((place) => view.u16(at + place, true)) as [
    number,
    number,
    number,
    number,
  ]
  const flags = view.u8(at + 9)
  const local = paletteBytes(flags)
  const palette = local > 0 ? bytes.subarray(at + 10, at + 10 + local) : bytes.subarray(13, 13 + global)
  const codes = at + 10 + local
  const minimumBits = view.u8(codes)
  if (minimumBits < 1 || minimumBits > 8 || left + wide > width || top + tall > height) {
    throw new AwqError(
      'INVALID_FILE',
      `${name}: a frame that lies outside of its image, or colours of ${minimumBits} bits; the GIF file is damaged`,
    )
  }
  const indices = inflateGif(blocksAt(view, bytes, codes + 1).data, minimumBits, wide * tall, name)
  const screen = new Uint8Array(width * height).fill(Math.max(clear, 0))
  const passes: readonly (readonly [number, number])[] = (flags & 0x40) === 0 ? [[0, 1]] : interlaced
  let from = 0
  for (const [first, step] of passes) {
    for (let y = first; y < tall; y += step, from += wide)
      screen.set(indices.subarray(from, from + wide), (top + y) * width + left)
  }
  const channels = alpha && clear >= 0 ? 4 : 3
  const data = new Uint8Array(width * height * channels)
  for (let pixel = 0, to = 0; pixel < screen.length; pixel++, to += channels) {
    const index = screen[pixel]!
    for (let channel = 0; channel < 3; channel++)
      data[to + channel] = palette.length === 0 ? index : (palette[index * 3 + channel] ?? 0)
    if (channels === 4) data[to + 3] = index === clear ? 0 : 255
  }
  return { width, height, channels, data }
}
