/**
 * Drafts for speculative decoding without a second model: what followed the last few tokens where they stood before
 * (prompt lookup decoding, Saxena 2023; speculative decoding, Leviathan et al., arXiv 2211.17192). Texts that repeat
 * their prompt, such as summaries, edits and code, get several tokens for one run of the model.
 * @module
 */
import { AwqError } from '@awq/tensor'

/** How drafts are looked up. */
export interface PromptLookupOptions {
  /** The longest run of last tokens that is looked for; an integer from 1 to 32, 3 by default. */
  readonly ngram?: number | undefined
  /** The longest draft; an integer from 1 to 64, 8 by default. */
  readonly draft?: number | undefined
}

/** `PromptLookupOptions` with every value present and checked. */
export type PromptLookupSettings = { readonly [Name in keyof PromptLookupOptions]-?: number }

/**
 * Fills in the defaults and checks the values. Undefined and false mean no lookup.
 * @throws AwqError INVALID_ARGUMENT naming the option, its value and what is allowed
 */
export const promptLookupSettings = (
  options: boolean | PromptLookupOptions | undefined,
): PromptLookupSettings | undefined => {
  if (options === undefined || options === false) return undefined
  if (options !== true && (typeof options !== 'object' || options === null)) {
    throw new AwqError('INVALID_ARGUMENT', `promptLookup must be true, false or { ngram, draft }, not ${options}.`)
  }
  const { ngram = 3, draft = 8 } = options === true ? {} : options
  const check = (name: string, value: number, most: number): number => {
    if (!Number.isSafeInteger(value) || value < 1 || value > most) {
      throw new AwqError('INVALID_ARGUMENT', `promptLookup.${name} must be an integer from 1 to ${most}, not ${value}.`)
    }
    return value
  }
  return { ngram: check('ngram', ngram, 32), draft: check('draft', draft, 64) }
}

/**
 * The tokens that followed the latest earlier place where the longest tail of `ids`, of at most `ngram` and at least
 * min(2, ngram) tokens, stood. A draft that runs into the end of `ids` goes on with itself, so a repetition shorter than
 * the draft is continued.
 * @returns at most `count` tokens; none when the tail is new
 */
export const lookUp = (ids: readonly number[], ngram: number, count: number): number[] => {
  const end = ids.length - 1
  let longest = Math.min(2, ngram) - 1
  let from = -1
  for (let at = end - 1; at >= 0 && longest < ngram; at--) {
    let length = 0
    while (length < ngram && length <= at && ids[at - length] === ids[end - length]) length++
    if (length <= longest) continue
    longest = length
    from = at + 1
  }
  const draft: number[] = []
  if (from < 0) return draft
  for (let i = 0; i < count; i++) {
    const at = from + i
    draft.push((at < ids.length ? ids[at] : draft[at - ids.length]) as number)
  }
  return draft
}

/** Makes drafts for one generation, longer ones while they are right and few while they are wrong. */
export interface Drafter {
  /** The next draft, of at most `room` tokens, often none. */
  draft(ids: readonly number[], room: number): readonly number[]
  /** How many tokens of the last draft were right. */
  judge(drafted: number, accepted: number): void
}

/** Steps without a draft after drafts that failed: 1, 2, 4 and so on up to this. */
const longestPause = 32

/**
 * A drafter. The length of drafts starts at 2, doubles after one that was right throughout, and falls back to what was
 * right of it. Drafts that are less than half right are followed by pauses that double, so a text without repetitions
 * costs a few short drafts at first and one for every 32 tokens later.
 */
export const createDrafter = ({ ngram, draft: longest }: PromptLookupSettings): Drafter => {
  let length = Math.min(2, longest)
  let pause = 0
  let waiting = 0
  return {
    draft(ids, room) {
      if (waiting > 0) {
        waiting--
        return []
      }
      return lookUp(ids, ngram, Math.min(length, room))
    },
    judge(drafted, accepted) {
      if (2 * accepted < drafted) {
        pause = Math.min(Math.max(1, 2 * pause), longestPause)
        waiting = pause
      } else {
        pause = 0
      }
      const next = accepted === drafted ? 2 * length : accepted + 1
      length = Math.min(Math.max(next, 2), longest)
    },
  }
}
