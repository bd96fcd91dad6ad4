import { AwqError } from '@awq/tensor'

/** Numbers of a file, checked: a read past the end is a truncated file. */
export interface ByteView {
  readonly length: number
  u8(offset: number): number
  u16(offset: number, littleEndian?: boolean): number
  u32(offset: number, littleEndian?: boolean): number
  /** Bytes as Latin-1 text. */
  text(offset: number, length: number): string
}

/** The error of a file that ends early. */
export const truncated = (name: string): AwqError =>
  new AwqError('INVALID_FILE', `${name} is truncated: it ends before the image does; get it again, or save it anew`)

/** A checked view of `bytes`. Its reads throw INVALID_FILE past the end. */
export function viewOf(bytes: Uint8Array, name: string): ByteView {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const check = (offset: number, length: number): void => {
    if (offset < 0 || offset + length > bytes.byteLength) throw truncated(name)
  }
  return {
    length: bytes.byteLength,
    u8: (offset) => {
      check(offset, 1)
      return view.getUint8(offset)
    },
    u16: (offset, littleEndian = false) => {
      check(offset, 2)
      return view.getUint16(offset, littleEndian)
    },
    u32: (offset, littleEndian = false) => {
      check(offset, 4)
      return view.getUint32(offset, littleEndian)
    },
    text: (offset, length) => {
      check(offset, length)
      let text = ''
      for (let at = offset; at < offset + length; at++) text += String.fromCharCode(bytes[at]!)
      return text
    },
  }
}
