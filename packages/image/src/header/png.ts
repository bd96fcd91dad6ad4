import { AwqError } from '@awq/tensor'
import type { ByteView } from './bytes.ts'
import { exifOrientation, type OrientationTag, xmpOrientation } from './exif.ts'
import type { FormatHeader } from './formats.ts'

const xmpKeyword = 'XML:com.adobe.xmp'

/** Size by IHDR; orientation by the chunk eXIf, or the XMP packet of an iTXt chunk (PNG, third edition). */
export function readPng(view: ByteView, bytes: Uint8Array, name: string): FormatHeader {
  if (view.text(12, 4) !== 'IHDR')
    throw new AwqError('INVALID_FILE', `${name}: a PNG file that does not begin with its header`)
  let exif: OrientationTag | undefined
  let xmp: OrientationTag | undefined
  for (let at = 8; at + 12 <= view.length; ) {
    const length = view.u32(at)
    const data = at + 8
    const end = Math.min(data + length, view.length)
    const type = view.text(at + 4, 4)
    if (type === 'eXIf') exif = exifOrientation(bytes, data, end)
    if (type === 'iTXt' && length < 2 ** 20 && length > xmpKeyword.length) {
      const text = view.text(data, end - data)
      if (text.startsWith(`${xmpKeyword}\0`)) xmp = xmpOrientation(text)
    }
    if (type === 'IEND') break
    at = data + length + 4
  }
  return { width: view.u32(16), height: view.u32(20), orientation: exif ?? xmp }
}
