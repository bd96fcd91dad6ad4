/** A set of bytes: bit `b & 31` of word `b >> 5`. */
export type ByteSet = Uint32Array

/** The bytes of some ranges, both ends included. */
export const byteSet = (...ranges: readonly (readonly [low: number, high: number])[]): ByteSet => {
  const set = new Uint32Array(8)
  for (const [low, high] of ranges) {
    for (let byte = low; byte <= high; byte++) set[byte >> 5] = (set[byte >> 5] as number) | (1 << (byte & 31))
  }
  return set
}

export const hasByte = (set: ByteSet, byte: number): boolean => (((set[byte >> 5] as number) >>> (byte & 31)) & 1) === 1
