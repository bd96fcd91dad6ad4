import { AwqError, messageOf } from '@awq/tensor'
import { truncated } from '../header/bytes.ts'
import type { PngFile } from './chunks.ts'

/** A pass over the image: pixel (x, y) of the pass is pixel (left + x * across, top + y * down) of the image. */
export interface PngPass {
  readonly left: number
  readonly top: number
  readonly across: number
  readonly down: number
  readonly width: number
  readonly height: number
}

/** Adam7: left, top, across, down of each pass (PNG, section 8.2). */
const adam7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const

function passesOf({ width, height, interlaced }: PngFile): PngPass[] {
  const rows: readonly (readonly [number, number, number, number])[] = interlaced ? adam7 : [[0, 0, 1, 1]]
  return rows
    .map(([left, top, across, down]) => ({
      ...{ left, top, across, down },
      width: Math.ceil((width - left) / across),
      height: Math.ceil((height - top) / down),
    }))
    .filter((pass) => pass.width > 0 && pass.height > 0)
}

/** Samples of a pixel by colour type. */
export const samplesOf = (colour: number): number => [1, 0, 3, 1, 2, 0, 4][colour]!

function paeth(left: number, above: number, corner: number): number {
  const estimate = left + above - corner
  const [a, b, c] = [Math.abs(estimate - left), Math.abs(estimate - above), Math.abs(estimate - corner)]
  return a <= b && a <= c ? left : b <= c ? above : corner
}

/** Undoes a filter in place (PNG, section 9.2); `step` is the bytes of a pixel, at least 1. */
function unfilter(type: number, row: Uint8Array, above: Uint8Array, step: number): void {
  const length = row.length
  if (type === 1) for (let at = step; at < length; at++) row[at]! += row[at - step]!
  if (type === 2) for (let at = 0; at < length; at++) row[at]! += above[at]!
  if (type === 3) {
    for (let at = 0; at < length; at++) row[at]! += ((at < step ? 0 : row[at - step]!) + above[at]!) >> 1
  }
  if (type === 4) {
    for (let at = 0; at < Math.min(step, length); at++) row[at]! += above[at]!
    for (let at = step; at < length; at++) row[at]! += paeth(row[at - step]!, above[at]!, above[at - step]!)
  }
}

/**
 * Inflates the image and calls `onRow` for each of its rows in the order of the file, their filters undone. Only two rows are
 * held; what a file inflates to beyond its size is not read. Throws INVALID_FILE when the data ends early or is damaged.
 */
export async function eachPngRow(
  file: PngFile,
  name: string,
  onRow: (row: Uint8Array, pass: PngPass, y: number) => void,
): Promise<void> {
  const bits = samplesOf(file.colour) * file.depth
  const passes = passesOf(file)
  let [pass, y, filled] = [0, 0, 0]
  let row = new Uint8Array(0)
  let above = new Uint8Array(0)
  const start = (): void => {
    const length = 1 + Math.ceil((passes[pass]!.width * bits) / 8)
    row = new Uint8Array(length)
    above = new Uint8Array(length)
  }
  const take = (piece: Uint8Array): void => {
    for (let at = 0; at < piece.length && pass < passes.length; ) {
      const part = Math.min(row.length - filled, piece.length - at)
      row.set(piece.subarray(at, at + part), filled)
      filled += part
      at += part
      if (filled < row.length) return
      const filter = row[0]!
      if (filter > 4)
        throw new AwqError('INVALID_FILE', `${name}: a row with filter ${filter}; the PNG file is damaged`)
      unfilter(filter, row.subarray(1), above.subarray(1), Math.ceil(bits / 8))
      onRow(row.subarray(1), passes[pass]!, y)
      ;[row, above, filled] = [above, row, 0]
      y++
      if (y < passes[pass]!.height) continue
      ;[pass, y] = [pass + 1, 0]
      if (pass < passes.length) start()
    }
  }
  start()
  const compressed = new Blob([...file.data] as Uint8Array<ArrayBuffer>[]).stream()
  const reader = compressed.pipeThrough(new DecompressionStream('deflate')).getReader()
  try {
    while (pass < passes.length) {
      const { done, value } = await reader.read()
      if (done) throw truncated(name)
      take(value)
    }
  } catch (cause) {
    if (AwqError.is(cause)) throw cause
    const reason = messageOf(cause)
    const why = reason === '' ? '' : ` (${reason})`
    throw new AwqError(
      'INVALID_FILE',
      `${name}: its pixels do not inflate${why}; the PNG file is damaged or cut short`,
      {
        cause,
      },
    )
  } finally {
    reader.cancel().catch(() => {})
  }
}
