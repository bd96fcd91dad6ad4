import { AwqError } from '@awq/tensor'
import type { ByteView } from './bytes.ts'
import { exifOrientation, type OrientationTag, xmpOrientation } from './exif.ts'
import type { FormatHeader } from './formats.ts'

const u24 = (view: ByteView, at: number): number => view.u16(at, true) | (view.u8(at + 2) << 16)

/** Size of a chunk's bitstream, undefined for chunks that are no image (RFC 9649, sections 2.5 to 2.7). */
function sizeOf(view: ByteView, type: string, data: number): { width: number; height: number } | undefined {
  if (type === 'VP8X') return { width: u24(view, data + 4) + 1, height: u24(view, data + 7) + 1 }
  if (type === 'VP8 ') return { width: view.u16(data + 6, true) & 0x3fff, height: view.u16(data + 8, true) & 0x3fff }
  if (type !== 'VP8L') return undefined
  const bits = view.u32(data + 1, true)
  return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 }
}

/** Size by the first chunk that has one; orientation by the chunks EXIF and XMP. */
export function readWebp(view: ByteView, bytes: Uint8Array, name: string): FormatHeader {
  const stated = view.u32(4, true) + 8
  let size: { width: number; height: number } | undefined
  let exif: OrientationTag | undefined
  let xmp: OrientationTag | undefined
  for (let at = 12; at + 8 <= Math.min(stated, view.length); ) {
    const type = view.text(at, 4)
    const length = view.u32(at + 4, true)
    const data = at + 8
    const end = Math.min(data + length, view.length)
    size ??= sizeOf(view, type, data)
    if (type === 'EXIF') {
      const prefixed = length > 6 && view.text(data, 6) === 'Exif\0\0'
      exif ??= exifOrientation(bytes, prefixed ? data + 6 : data, end)
    }
    if (type === 'XMP ' && length < 2 ** 20) xmp ??= xmpOrientation(view.text(data, end - data))
    at = data + length + (length % 2)
  }
  if (size === undefined) throw new AwqError('INVALID_FILE', `${name}: a WebP file without an image in it`)
  return { ...size, orientation: exif ?? xmp, truncated: view.length < stated }
}
