import { AwqError } from '@awq/tensor'

/** Non-overlapping windows of one token stream. */
export interface Windows {
  /** Tokens per window. */
  readonly length: number
  readonly count: number
  /** Tokens of window `index`, a view. */
  at(index: number): Int32Array
  /** What was changed against the wish, in words. */
  readonly warnings: readonly string[]
}

/**
 * Cuts tokens into windows as the GPTQ and AWQ papers do: side by side from the start, the incomplete last one dropped.
 * The length is clamped to the model's context; fewer tokens than one window make one shorter window. Both warn.
 * @param tokens `[n]`, n at least 2
 * @throws AwqError INVALID_ARGUMENT for fewer than 2 tokens, a window below 2, or maxWindows below 1
 */
export const cutWindows = (
  tokens: Int32Array,
  options: { readonly window: number; readonly maxWindows?: number | undefined; readonly contextLength: number },
): Windows => {
  const { window, maxWindows = Infinity, contextLength } = options
  if (!Number.isSafeInteger(window) || window < 2) {
    throw new AwqError('INVALID_ARGUMENT', `window must be an integer of 2 or more, not ${window}.`)
  }
  if (maxWindows !== Infinity && (!Number.isSafeInteger(maxWindows) || maxWindows < 1)) {
    throw new AwqError('INVALID_ARGUMENT', `maxWindows must be an integer of 1 or more, not ${maxWindows}.`)
  }
  if (tokens.length < 2) {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `The evaluation text has ${tokens.length} tokens; at least 2 are needed, one to read and one to predict.`,
    )
  }
  const warnings: string[] = []
  let length = window
  if (length > contextLength) {
    length = contextLength
    warnings.push(`The window of ${window} tokens is cut to the model's context of ${contextLength}.`)
  }
  if (tokens.length < length) {
    warnings.push(`The text has ${tokens.length} tokens, fewer than one window of ${length}; all of it is one window.`)
    length = tokens.length
  }
  const count = Math.min(Math.floor(tokens.length / length), maxWindows)
  return { length, count, warnings, at: (index) => tokens.subarray(index * length, (index + 1) * length) }
}
