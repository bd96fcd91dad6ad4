import type { ByteView } from './bytes.ts'
import type { FormatHeader } from './formats.ts'

/** Size by the information header; a negative height means rows from the top. The oldest header has 16-bit sizes. */
export function readBmp(view: ByteView): FormatHeader {
  if (view.u32(14, true) === 12) return { width: view.u16(18, true), height: view.u16(20, true) }
  return { width: view.u32(18, true), height: Math.abs(view.u32(22, true) | 0) }
}
