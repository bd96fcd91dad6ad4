import { AwqError } from '@awq/tensor'
import { type ByteView, truncated } from './bytes.ts'
import { exifOrientation, type OrientationTag, xmpOrientation } from './exif.ts'
import type { FormatHeader } from './formats.ts'

const exifPrefix = 'Exif\0\0'
const xmpPrefix = 'http://ns.adobe.com/xap/1.0/\0'

/** Start-of-frame markers: C0 to CF, without those of tables (C4, C8, CC). */
const isFrame = (marker: number): boolean => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)

/** Whether an end-of-image marker follows; within entropy-coded data the byte after FF is 0 or a restart, so it is a real one. */
function ends(bytes: Uint8Array, from: number): boolean {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    if (bytes[at + 1] === 0xd9) return true
  }
  return false
}

/**
 * Size by the frame header, orientation by the first EXIF segment, or by XMP; `truncated` when no end follows the first scan
 * (ITU T.81 B.1).
 */
export function readJpeg(view: ByteView, bytes: Uint8Array, name: string): FormatHeader {
  let size: { width: number; height: number } | undefined
  let exif: OrientationTag | undefined
  let xmp: OrientationTag | undefined
  let at = 2
  for (;;) {
    while (view.u8(at) !== 0xff) at++
    while (view.u8(at) === 0xff) at++
    const marker = view.u8(at++)
    if (marker === 0xd9) break
    if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) continue
    const length = view.u16(at)
    if (length < 2)
      throw new AwqError('INVALID_FILE', `${name}: a JPEG file with a segment of ${length} bytes; it is damaged`)
    if (marker === 0xda) {
      if (size === undefined) break
      return { ...size, orientation: exif ?? xmp, truncated: !ends(bytes, at + length) }
    }
    const end = at + length
    if (isFrame(marker)) size = { height: view.u16(at + 3), width: view.u16(at + 5) }
    if (marker === 0xe1 && end > view.length) throw truncated(name)
    if (marker === 0xe1 && length > 8 && view.text(at + 2, 6) === exifPrefix)
      exif ??= exifOrientation(bytes, at + 8, end)
    if (marker === 0xe1 && length > 31 && view.text(at + 2, xmpPrefix.length) === xmpPrefix) {
      xmp ??= xmpOrientation(view.text(at + 2, length - 2))
    }
    at = end
  }
  throw new AwqError('INVALID_FILE', `${name}: a JPEG file without an image in it`)
}
