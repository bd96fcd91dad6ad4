/**
 * What a batch needs of whatever runs the model: places for the tokens of several generations, and runs over them.
 * @module
 */

/** Slots with a cache each. Calls do not overlap. A run that fails leaves the tokens of its slots as they were. */
export interface BatchExecutor {
  /** Slots there are at most; they are numbered from 0. */
  readonly slots: number
  /** Whether rows can be copied from slot to slot. */
  readonly copies: boolean
  /** Tokens of a prompt that run at once; Infinity where the whole sequence must be known. */
  readonly chunk: number
  /** Tokens that memory is taken for. */
  readonly usedTokens: number
  /** Tokens that a slot holds. */
  length(slot: number): number
  /** Forgets the tokens of a slot from `length` on. */
  truncate(slot: number, length: number): void
  /** Whether there is memory for slots that hold so many tokens; 0 for slots that nobody uses. */
  fits(needs: readonly number[]): boolean
  /**
   * Makes room for `needs`, which `fits`. What used slots hold stays, what others hold as far as it does not cost memory:
   * `length` tells.
   */
  reserve(needs: readonly number[]): Promise<void>
  /**
   * Appends one token to each of some slots, given in ascending order, and gives the logits `[vocab]` behind each. An array
   * is overwritten by the slot's next run.
   */
  decode(slots: readonly number[], ids: readonly number[]): Promise<Float32Array[]>
  /**
   * Appends tokens to one slot and gives the logits `[rows, vocab]` of the last `rows` of them, in an array that the slot's
   * next run overwrites. With 0 rows the array is nobody's business.
   */
  append(slot: number, ids: readonly number[], rows: number): Promise<Float32Array>
  /** Copies the tokens from `start` to `end - 1` of one slot into another that holds at least `start`; it holds `end` then. */
  copy(from: number, to: number, start: number, end: number): Promise<void>
  /** Exchanges what two slots hold. */
  exchange(a: number, b: number): Promise<void>
  dispose(): void
}
