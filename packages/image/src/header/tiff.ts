import { AwqError } from '@awq/tensor'
import type { ByteView } from './bytes.ts'
import { exifOrientation } from './exif.ts'
import type { FormatHeader } from './formats.ts'

/** Size and orientation of the first image: tags 256, 257 and 274 (TIFF 6.0). */
export function readTiff(view: ByteView, bytes: Uint8Array, name: string): FormatHeader {
  const little = view.text(0, 2) === 'II'
  const directory = view.u32(4, little)
  const count = view.u16(directory, little)
  const sizes = new Map<number, number>()
  for (let entry = 0; entry < count; entry++) {
    const at = directory + 2 + entry * 12
    const tag = view.u16(at, little)
    const value = view.u16(at + 2, little) === 3 ? view.u16(at + 8, little) : view.u32(at + 8, little)
    if (tag === 256 || tag === 257) sizes.set(tag, value)
  }
  const [width, height] = [sizes.get(256), sizes.get(257)]
  if (width === undefined || height === undefined)
    throw new AwqError('INVALID_FILE', `${name}: a TIFF file without a size`)
  return { width, height, orientation: exifOrientation(bytes, 0, bytes.byteLength) }
}
