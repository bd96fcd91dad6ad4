/**
 * Packs `count` codes from `source[start]` into `target[at]` on, 8 / bits to a byte, the first in the lowest bits; the
 * rest of the last byte stays as it is. `add` is added to every code. Returns the OR of all codes as they were, so that
 * a caller can see whether one was too large.
 */
export function packCodes(
  source: Uint8Array,
  start: number,
  count: number,
  target: Uint8Array,
  at: number,
  bits: 2 | 4 | 8,
  add: number,
): number {
  const perByte = 8 / bits
  const whole = count - (count % perByte)
  const end = start + whole
  // The addition reaches every code of a byte at once: no code carries, because each is known to fit with it.
  const addAll = bits === 8 ? add : bits === 4 ? add * 0x11 : add * 0x55
  let seen = 0
  let write = at
  if (bits === 8) {
    for (let i = start; i < end; i++) {
      const code = source[i]!
      seen |= code
      target[write++] = code + addAll
    }
  } else if (bits === 4) {
    for (let i = start; i < end; i += 2) {
      const a = source[i]!
      const b = source[i + 1]!
      seen |= a | b
      target[write++] = (a | (b << 4)) + addAll
    }
  } else {
    for (let i = start; i < end; i += 4) {
      const a = source[i]!
      const b = source[i + 1]!
      const c = source[i + 2]!
      const d = source[i + 3]!
      seen |= a | b | c | d
      target[write++] = (a | (b << 2) | (c << 4) | (d << 6)) + addAll
    }
  }
  for (let i = whole; i < count; i++) {
    const code = source[start + i]!
    seen |= code
    target[write] = target[write]! | ((code + add) << ((i - whole) * bits))
  }
  return seen
}

/** The reverse of `packCodes`: `count` codes from `source[at]` on into `target[start]` on, `add` subtracted modulo 256. */
export function unpackCodes(
  source: Uint8Array,
  at: number,
  count: number,
  target: Uint8Array,
  start: number,
  bits: 2 | 4 | 8,
  add: number,
): void {
  const perByte = 8 / bits
  const whole = count - (count % perByte)
  const end = start + whole
  let read = at
  if (bits === 8) {
    for (let i = start; i < end; i++) target[i] = source[read++]! - add
  } else if (bits === 4) {
    for (let i = start; i < end; i += 2) {
      const byte = source[read++]!
      target[i] = (byte & 15) - add
      target[i + 1] = (byte >> 4) - add
    }
  } else {
    for (let i = start; i < end; i += 4) {
      const byte = source[read++]!
      target[i] = (byte & 3) - add
      target[i + 1] = ((byte >> 2) & 3) - add
      target[i + 2] = ((byte >> 4) & 3) - add
      target[i + 3] = (byte >> 6) - add
    }
  }
  const mask = 2 ** bits - 1
  for (let i = whole; i < count; i++) target[start + i] = ((source[read]! >> ((i - whole) * bits)) & mask) - add
}
