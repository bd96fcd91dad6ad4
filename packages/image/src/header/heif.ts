import { AwqError } from '@awq/tensor'
import type { ByteView } from './bytes.ts'
import type { FormatHeader } from './formats.ts'

/** Boxes that are read through on the way to the sizes, and the bytes before their first child. */
const containers: Readonly<Record<string, number>> = { meta: 4, iprp: 0, ipco: 0 }

/**
 * The largest size among the image properties (`ispe` in meta/iprp/ipco, ISO/IEC 23008-12): of an image made of tiles or with an
 * alpha plane, the whole one's. Decoders apply the rotations of this format themselves.
 */
export function readHeif(view: ByteView, _bytes: Uint8Array, name: string): FormatHeader {
  let best = { width: 0, height: 0 }
  const walk = (from: number, to: number): void => {
    for (let at = from; at + 8 <= to; ) {
      const type = view.text(at + 4, 4)
      const stated = view.u32(at)
      const length = stated === 1 ? view.u32(at + 8) * 2 ** 32 + view.u32(at + 12) : stated
      const end = stated === 0 ? to : Math.min(at + length, to)
      if (end < at + 8) return
      const header = stated === 1 ? 16 : 8
      const skip = containers[type]
      if (skip !== undefined) walk(at + header + skip, end)
      if (type === 'ispe') {
        const size = { width: view.u32(at + header + 4), height: view.u32(at + header + 8) }
        if (size.width * size.height > best.width * best.height) best = size
      }
      at = end
    }
  }
  walk(0, view.length)
  if (best.width === 0) throw new AwqError('INVALID_FILE', `${name}: an AVIF file without the size of an image in it`)
  return best
}
