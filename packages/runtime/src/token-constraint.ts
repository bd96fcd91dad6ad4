/**
 * What a generation may write: a seam for JSON schemas and whatever else decides, token by token, what may come next.
 * @module
 */
import { AwqError } from '@awq/tensor'

/** Where one generation stands in what it may write. */
export interface TokenConstraint {
  /**
   * The tokens that may come next: bit `id & 31` of word `id >> 5` is set for a token that may; `null` means any. Tokens
   * past the last word may not. End-of-sequence tokens are among them where the text may end. The words are the constraint's
   * own and only good until the next call.
   */
  allowed(): Uint32Array | null
  /**
   * Keeps a text from being cut off: the token to take in place of `id`, which `allowed` permits, when `most` tokens may still
   * come and `id` is to be the first of them. `id` itself where the text can come to an end behind it, or where it cannot come to
   * one at all. `accept` is called with what is returned. Without this, a text ends wherever the tokens do.
   */
  within?(id: number, most: number): number
  /** A token was chosen; one that `allowed` permits. */
  accept(id: number): void
  /** The text may end here. */
  readonly complete: boolean
  /** Nothing but the end may come: the generation ends without running the model for an end-of-sequence token. */
  readonly finished: boolean
}

/** A constraint that any number of generations may use, each from its own start. */
export interface Constraint {
  start(): TokenConstraint
}

/**
 * Copies of logits in which forbidden tokens have -Infinity, in memory that is reused from call to call.
 * @returns a function that throws AwqError INVALID_ARGUMENT when no token of the vocabulary is allowed
 */
export const createMask = (): ((logits: Float32Array, allowed: Uint32Array) => Float32Array) => {
  let masked = new Float32Array()
  return (logits, allowed) => {
    const { length } = logits
    if (masked.length !== length) masked = new Float32Array(length)
    masked.fill(Number.NEGATIVE_INFINITY)
    const words = Math.min(allowed.length, Math.ceil(length / 32))
    let any = false
    for (let word = 0; word < words; word++) {
      let bits = allowed[word] as number
      if (bits === 0) continue
      const first = 32 * word
      if (bits === 0xffffffff && first + 32 <= length) {
        masked.set(logits.subarray(first, first + 32), first)
        any = true
        continue
      }
      for (; bits !== 0; bits &= bits - 1) {
        const id = first + 31 - Math.clz32(bits & -bits)
        if (id >= length) break
        masked[id] = logits[id] as number
        any = true
      }
    }
    if (!any) throw new AwqError('INVALID_ARGUMENT', 'The constraint allows no token of the vocabulary here.')
    return masked
  }
}
