import type { DecodedPixels } from '../types.ts'
import { type PngFile, readPngFile } from './chunks.ts'
import { eachPngRow, samplesOf } from './rows.ts'

/** Sample `index` of a row, of 1, 2, 4 or 8 bits, or the high byte of 16. */
function sampleReader(depth: number): (row: Uint8Array, index: number) => number {
  if (depth === 8) return (row, index) => row[index]!
  if (depth === 16) return (row, index) => row[2 * index]!
  const mask = (1 << depth) - 1
  return (row, index) => {
    const bit = index * depth
    return (row[bit >> 3]! >> (8 - depth - (bit & 7))) & mask
  }
}

/** The colour and the alpha of a grey level or a palette's entry: 4 bytes for each value of a sample of up to 8 bits. */
function coloursOf({ colour, depth, palette, transparency }: PngFile): Uint8Array {
  const values = 1 << Math.min(depth, 8)
  const colours = new Uint8Array(values * 4).fill(255)
  const clear = colour === 0 && depth < 16 && transparency ? transparency[1]! : -1
  for (let value = 0; value < values; value++) {
    for (let channel = 0; channel < 3; channel++) {
      const level = colour === 3 ? (palette?.[value * 3 + channel] ?? 0) : Math.round((value * 255) / (values - 1))
      colours[value * 4 + channel] = level
    }
    colours[value * 4 + 3] = colour === 3 ? (transparency?.[value] ?? 255) : value === clear ? 0 : 255
  }
  return colours
}

/**
 * How one pixel is read: writes red, green, blue and, where the file has it, alpha. Grey levels of 16 bits are cut off at 255 and other
 * samples of 16 bits give their high byte: what PIL's `convert('RGB')` makes of them.
 */
function pixelReader(file: PngFile): (row: Uint8Array, x: number, out: Uint8Array) => void {
  const { colour, depth, transparency } = file
  const sample = sampleReader(depth)
  if (colour === 0 && depth === 16) {
    return (row, x, out) => {
      out.fill(row[2 * x] === 0 ? row[2 * x + 1]! : 255, 0, 3)
      out[3] = 255
    }
  }
  if (colour === 0 || colour === 3) {
    const colours = coloursOf(file)
    return (row, x, out) => {
      const at = sample(row, x) * 4
      for (let channel = 0; channel < 4; channel++) out[channel] = colours[at + channel]!
    }
  }
  if (colour === 4) {
    return (row, x, out) => {
      out.fill(sample(row, 2 * x), 0, 3)
      out[3] = sample(row, 2 * x + 1)
    }
  }
  const samples = samplesOf(colour)
  const clear =
    colour === 2 && depth === 8 && transparency ? [transparency[1], transparency[3], transparency[5]] : undefined
  return (row, x, out) => {
    for (let channel = 0; channel < samples; channel++) out[channel] = sample(row, x * samples + channel)
    if (samples === 3) out[3] = clear && clear[0] === out[0] && clear[1] === out[1] && clear[2] === out[2] ? 0 : 255
  }
}

/**
 * The pixels of a PNG file of any colour type, depth and interlacing; colour profiles and gamma are not applied, as PIL does not.
 * With `alpha` there are 4 channels where the file says what is transparent, 3 otherwise.
 * Throws INVALID_FILE when the file is damaged or ends early.
 */
export async function decodePng(bytes: Uint8Array, name: string, alpha: boolean): Promise<DecodedPixels> {
  const file = readPngFile(bytes, name)
  const channels = alpha && (file.colour >= 4 || file.transparency !== undefined) ? 4 : 3
  const data = new Uint8Array(file.width * file.height * channels)
  const read = pixelReader(file)
  const pixel = new Uint8Array(4)
  const plain = file.colour === 2 && file.depth === 8 && channels === 3
  await eachPngRow(file, name, (row, { left, top, across, down, width }, y) => {
    const start = (top + y * down) * file.width + left
    if (plain && across === 1) return data.set(row, start * 3)
    for (let x = 0; x < width; x++) {
      read(row, x, pixel)
      const at = (start + x * across) * channels
      for (let channel = 0; channel < channels; channel++) data[at + channel] = pixel[channel]!
    }
  })
  return { width: file.width, height: file.height, channels, data }
}
