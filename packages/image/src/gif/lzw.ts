import { AwqError } from '@awq/tensor'
import { truncated } from '../header/bytes.ts'

const mostCodes = 4096

/**
 * The colour indices of a GIF image: LZW codes of growing width, lowest bits first (GIF89a, appendix F). Stops at `length` indices.
 * Throws INVALID_FILE when the codes end early or name what is not in the table.
 */
export function inflateGif(data: Uint8Array, minimumBits: number, length: number, name: string): Uint8Array {
  const clear = 1 << minimumBits
  const end = clear + 1
  const before = new Uint16Array(mostCodes)
  const last = new Uint8Array(mostCodes)
  const sizes = new Uint16Array(mostCodes)
  for (let code = 0; code < clear; code++) [last[code], sizes[code]] = [code, 1]
  const out = new Uint8Array(length)
  let [bits, next, previous] = [minimumBits + 1, end + 1, -1]
  let [buffer, held, from, at] = [0, 0, 0, 0]
  while (at < length) {
    while (held < bits) {
      if (from >= data.length) throw truncated(name)
      buffer |= data[from++]! << held
      held += 8
    }
    const code = buffer & ((1 << bits) - 1)
    buffer >>>= bits
    held -= bits
    if (code === end) throw truncated(name)
    if (code === clear) {
      ;[bits, next, previous] = [minimumBits + 1, end + 1, -1]
      continue
    }
    if (code > next || (previous < 0 && code >= clear) || (code === next && next >= mostCodes)) {
      throw new AwqError('INVALID_FILE', `${name}: its pixels do not inflate; the GIF file is damaged`)
    }
    // A code that is not there yet is the string before it and that string's first index again.
    const known = code < next ? code : previous
    const size = sizes[known]! + (code < next ? 0 : 1)
    let place = at + size - 1
    if (code === next) place--
    let first = 0
    for (let walk = known, left = sizes[known]!; left > 0; left--, place--) {
      first = last[walk]!
      if (place < length) out[place] = first
      walk = before[walk]!
    }
    if (code === next && at + size - 1 < length) out[at + size - 1] = first
    at += size
    if (previous >= 0 && next < mostCodes) {
      before[next] = previous
      last[next] = first
      sizes[next] = sizes[previous]! + 1
      next++
      if (next === 1 << bits && bits < 12) bits++
    }
    previous = code
  }
  return out
}
