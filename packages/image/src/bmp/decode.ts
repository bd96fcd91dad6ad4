import { AwqError } from '@awq/tensor'
import { viewOf } from '../header/bytes.ts'
import type { DecodedPixels } from '../types.ts'

/** Places of blue, green and red in a pixel of 16 bits, and their bits, unless masks say otherwise. */
const masks16 = [0x7c00, 0x03e0, 0x001f] as const
const masks32 = [0x00ff0000, 0x0000ff00, 0x000000ff] as const

/** A channel of a pixel by its mask, as 8 bits. */
function channelOf(pixel: number, mask: number): number {
  if (mask === 0) return 0
  const shift = 31 - Math.clz32(mask & -mask)
  const most = mask >>> shift
  return Math.round((((pixel & mask) >>> shift) * 255) / most)
}

/**
 * The pixels of an uncompressed BMP file of 1, 4, 8, 16, 24 or 32 bits a pixel; what a fourth byte holds is not read.
 * Throws UNSUPPORTED for compressed ones, INVALID_FILE when the file ends early.
 */
export function decodeBmp(bytes: Uint8Array, name: string): DecodedPixels {
  const view = viewOf(bytes, name)
  const headerSize = view.u32(14, true)
  const old = headerSize === 12
  const width = old ? view.u16(18, true) : view.u32(18, true)
  const stored = old ? view.u16(20, true) : view.u32(22, true) | 0
  const height = Math.abs(stored)
  const bits = view.u16(old ? 24 : 28, true)
  const compression = old ? 0 : view.u32(30, true)
  const masked = compression === 3 || compression === 6
  if (![1, 4, 8, 16, 24, 32].includes(bits) || (compression !== 0 && !(masked && bits >= 16))) {
    throw new AwqError(
      'UNSUPPORTED',
      `${name}: a BMP file of ${bits} bits and compression ${compression}; save it as PNG`,
    )
  }
  const usual = bits === 16 ? masks16 : masks32
  const masks = masked ? [54, 58, 62].map((at) => view.u32(at, true)) : usual
  const entry = old ? 3 : 4
  const palette = 14 + headerSize
  const pixels = view.u32(10, true)
  const stride = Math.ceil((width * bits) / 32) * 4
  // Checks the whole range once.
  view.u8(pixels + stride * height - 1)
  const data = new Uint8Array(width * height * 3)
  for (let y = 0, at = 0; y < height; y++) {
    const row = pixels + (stored > 0 ? height - 1 - y : y) * stride
    for (let x = 0; x < width; x++, at += 3) {
      if (bits === 24 || bits <= 8) {
        const bit = x * bits
        const index = bits <= 8 ? (bytes[row + (bit >> 3)]! >> (8 - bits - (bit & 7))) & ((1 << bits) - 1) : 0
        const from = bits <= 8 ? palette + index * entry : row + x * 3
        data[at] = view.u8(from + 2)
        data[at + 1] = view.u8(from + 1)
        data[at + 2] = view.u8(from)
        continue
      }
      const pixel = bits === 16 ? view.u16(row + x * 2, true) : view.u32(row + x * 4, true)
      for (let channel = 0; channel < 3; channel++) data[at + channel] = channelOf(pixel, masks[channel]!)
    }
  }
  return { width, height, channels: 3, data }
}
