/** Where a file says how it is to be turned: the value of EXIF's tag 274, and the place of its lowest byte. */
export interface OrientationTag {
  /** 1 to 8; 1 is upright. */
  readonly value: number
  /** Index of the byte that holds it, absent where it is text (XMP). */
  readonly offset?: number
}

const orientationTag = 0x0112
const maxEntries = 1000

/**
 * The orientation in a TIFF structure (EXIF data is one) at `bytes[start...]`: the first image directory's tag 274, a number of 1,
 * 2 or 4 bytes. Undefined where there is none, also when the data is damaged: other programs show such images as they are.
 */
export function exifOrientation(bytes: Uint8Array, start: number, end: number): OrientationTag | undefined {
  if (start < 0 || end > bytes.byteLength || start + 8 > end) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, end - start)
  const order = view.getUint16(0)
  if (order !== 0x4949 && order !== 0x4d4d) return undefined
  const little = order === 0x4949
  const directory = view.getUint32(4, little)
  if (directory + 2 > view.byteLength) return undefined
  const count = Math.min(view.getUint16(directory, little), maxEntries)
  for (let entry = 0; entry < count; entry++) {
    const at = directory + 2 + entry * 12
    if (at + 12 > view.byteLength) return undefined
    if (view.getUint16(at, little) !== orientationTag) continue
    const type = view.getUint16(at + 2, little)
    const width = { 1: 1, 3: 2, 4: 4 }[type]
    if (width === undefined) return undefined
    const value =
      width === 1
        ? view.getUint8(at + 8)
        : width === 2
          ? view.getUint16(at + 8, little)
          : view.getUint32(at + 8, little)
    if (value < 1 || value > 8) return undefined
    return { value, offset: start + at + 8 + (little ? 0 : width - 1) }
  }
  return undefined
}

/** The orientation that an XMP packet gives as an attribute or an element, as PIL looks for it: its first digit counts. */
export function xmpOrientation(packet: string): OrientationTag | undefined {
  const digit = /tiff:Orientation(?:="|>)([0-9])/.exec(packet)?.[1]
  const value = Number(digit)
  return digit !== undefined && value >= 1 && value <= 8 ? { value } : undefined
}
