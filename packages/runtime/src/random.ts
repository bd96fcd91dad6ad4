import { AwqError } from '@awq/tensor'

/** A stream of uniform random numbers; the same seed gives the same stream on every machine. */
export interface Random {
  /** The next 32 random bits, 0 to 2^32 - 1. */
  uint32(): number
  /** The next number in [0, 1), with all 53 bits of a double filled from two draws. */
  next(): number
}

/**
 * xoshiro128++ (Blackman and Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS 2021) over four words
 * of state. Not for cryptography.
 * @throws AwqError INVALID_ARGUMENT when all four words are zero: that state never changes.
 */
export const xoshiro128 = (state: readonly [number, number, number, number]): Random => {
  let [a, b, c, d] = state.map((word) => word >>> 0) as [number, number, number, number]
  if ((a | b | c | d) === 0) throw new AwqError('INVALID_ARGUMENT', 'The state of xoshiro128++ must not be all zero.')
  const uint32 = (): number => {
    const result = (rotateLeft((a + d) | 0, 7) + a) >>> 0
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = rotateLeft(d, 11)
    return result
  }
  const next = (): number => ((uint32() >>> 5) * 2 ** 26 + (uint32() >>> 6)) / 2 ** 53
  return { uint32, next }
}

/**
 * The generator for a seed: xoshiro128++ whose state is four outputs of splitmix32 (a Weyl sequence of 0x9e3779b9
 * through the finalizer of MurmurHash3) started from the seed's low word, mixed with its high word.
 * @param seed an integer, 0 to 2^53 - 1
 * @throws AwqError INVALID_ARGUMENT for any other number
 */
export const createRandom = (seed: number): Random => {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new AwqError('INVALID_ARGUMENT', `seed must be an integer from 0 to 2^53 - 1, not ${seed}.`)
  }
  const high = Math.floor(seed / 2 ** 32)
  let weyl = (seed ^ mix(high)) | 0
  const word = (): number => {
    weyl = (weyl + 0x9e3779b9) | 0
    return mix(weyl)
  }
  return xoshiro128([word(), word(), word(), word()])
}

/** A seed from the platform's source of entropy, for a run that names none; report it so the run can be repeated. */
export const randomSeed = (): number => globalThis.crypto.getRandomValues(new Uint32Array(1))[0] ?? 0

const rotateLeft = (x: number, count: number): number => (x << count) | (x >>> (32 - count))

const mix = (x: number): number => {
  let y = x
  y = Math.imul(y ^ (y >>> 16), 0x85ebca6b)
  y = Math.imul(y ^ (y >>> 13), 0xc2b2ae35)
  return (y ^ (y >>> 16)) >>> 0
}
