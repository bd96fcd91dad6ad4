import type { ByteView } from './bytes.ts'
import type { FormatHeader } from './formats.ts'

/** Size of the logical screen (GIF89a, section 18). */
export const readGif = (view: ByteView): FormatHeader => ({ width: view.u16(6, true), height: view.u16(8, true) })
