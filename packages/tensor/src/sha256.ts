/**
 * SHA-256 (FIPS 180-4) of bytes that come in parts, which no browser's own hash takes.
 * @module
 */

/** A hash under way. */
export interface Sha256 {
  update(bytes: Uint8Array): void
  /** 64 hexadecimal digits, of all bytes so far. Nothing may be added after it. */
  digest(): string
}

/** Bytes that the function takes at a time. */
const BLOCK = 64

/** The first 32 bits of the fractional part of a number. */
const fraction = (x: number): number => Math.floor((x - Math.floor(x)) * 2 ** 32) >>> 0

const primes = Array.from({ length: 312 }, (_, i) => i).filter(
  (n) => n > 1 && Array.from({ length: Math.floor(Math.sqrt(n)) }, (_, i) => i + 1).every((d) => d === 1 || n % d > 0),
)
/** Section 4.2.2: cube roots of the first 64 primes. */
const constants = Int32Array.from(primes.slice(0, BLOCK), (prime) => fraction(Math.cbrt(prime)))
/** Section 5.3.3: square roots of the first 8. */
const initial = Int32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)))

/** Adds whole blocks to the state (section 6.2.2); `words` is room for 64 words. */
const compress = (state: Int32Array, words: Int32Array, bytes: Uint8Array, from: number, to: number): void => {
  let [h0, h1, h2, h3, h4, h5, h6, h7] = state as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  for (let at = from; at + BLOCK <= to; at += BLOCK) {
    for (let i = 0; i < 16; i++) {
      const j = at + 4 * i
      words[i] = (bytes[j]! << 24) | (bytes[j + 1]! << 16) | (bytes[j + 2]! << 8) | bytes[j + 3]!
    }
    for (let i = 16; i < 64; i++) {
      const x = words[i - 15]!
      const y = words[i - 2]!
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10)
      words[i] = (words[i - 16]! + s0 + words[i - 7]! + s1) | 0
    }
    let a = h0
    let b = h1
    let c = h2
    let d = h3
    let e = h4
    let f = h5
    let g = h6
    let h = h7
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))
      const one = (h + s1 + (g ^ (e & (f ^ g))) + constants[i]! + words[i]!) | 0
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))
      const two = (s0 + ((a & b) | (c & (a | b)))) | 0
      h = g
      g = f
      f = e
      e = (d + one) | 0
      d = c
      c = b
      b = a
      a = (one + two) | 0
    }
    h0 = (h0 + a) | 0
    h1 = (h1 + b) | 0
    h2 = (h2 + c) | 0
    h3 = (h3 + d) | 0
    h4 = (h4 + e) | 0
    h5 = (h5 + f) | 0
    h6 = (h6 + g) | 0
    h7 = (h7 + h) | 0
  }
  state.set([h0, h1, h2, h3, h4, h5, h6, h7])
}

const hexadecimal = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

/** A hash of no bytes yet. */
export const createSha256 = (): Sha256 => {
  const state = initial.slice()
  const words = new Int32Array(64)
  const rest = new Uint8Array(BLOCK)
  let held = 0
  let length = 0
  const update = (bytes: Uint8Array): void => {
    length += bytes.length
    let at = 0
    if (held > 0) {
      at = Math.min(BLOCK - held, bytes.length)
      rest.set(bytes.subarray(0, at), held)
      held += at
      if (held < BLOCK) return
      compress(state, words, rest, 0, BLOCK)
    }
    const end = bytes.length - ((bytes.length - at) % BLOCK)
    compress(state, words, bytes, at, end)
    rest.set(bytes.subarray(end))
    held = bytes.length - end
  }
  return {
    update,
    digest() {
      const bits = BigInt(length) * 8n
      const padding = new Uint8Array((held < 56 ? 56 : 120) - held + 8)
      padding[0] = 0x80
      new DataView(padding.buffer).setBigUint64(padding.length - 8, bits)
      update(padding)
      const bytes = new Uint8Array(32)
      const view = new DataView(bytes.buffer)
      for (const [i, word] of state.entries()) view.setInt32(4 * i, word)
      return hexadecimal(bytes)
    },
  }
}

/** SHA-256 of bytes that are all there, by the platform's own hash: 64 hexadecimal digits. */
export const sha256 = async (bytes: Uint8Array): Promise<string> =>
  hexadecimal(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)))
