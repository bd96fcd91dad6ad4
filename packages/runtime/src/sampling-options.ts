import { AwqError } from '@awq/tensor'

/** How the next token is chosen from the logits. Everything is optional; without any of it the choice is greedy. */
export interface SamplingOptions {
  /** Logits are divided by it; 0 (the default) takes the largest logit and ignores the options below. 0 to 100. */
  temperature?: number | undefined
  /** Keep only the k largest logits; 0 (the default) keeps all. */
  topK?: number | undefined
  /** Keep the fewest tokens whose probabilities sum to at least this (nucleus sampling); above 0, at most 1. */
  topP?: number | undefined
  /** Drop tokens whose probability is below this share of the largest one; 0 to 1. */
  minP?: number | undefined
  /** Divides positive and multiplies negative logits of tokens already in the context; 1 (the default) changes none. */
  repetitionPenalty?: number | undefined
  /** Seed of the random numbers, an integer from 0 to 2^53 - 1; without one a random seed is drawn and reported. */
  seed?: number | undefined
}

/** SamplingOptions with every value present and checked; `seed` stays undefined when none was given. */
export type SamplingSettings = Record<Exclude<keyof SamplingOptions, 'seed'>, number> & { seed: number | undefined }

interface Rule {
  readonly fallback: number
  readonly allowed: (value: number) => boolean
  readonly words: string
}

const rules: Record<keyof Omit<SamplingOptions, 'seed'>, Rule> = {
  temperature: { fallback: 0, allowed: (x) => x >= 0 && x <= 100, words: 'a number from 0 (greedy) to 100' },
  topK: { fallback: 0, allowed: (x) => Number.isSafeInteger(x) && x >= 0, words: 'an integer, 0 (off) or more' },
  topP: { fallback: 1, allowed: (x) => x > 0 && x <= 1, words: 'a number above 0 and at most 1 (off)' },
  minP: { fallback: 0, allowed: (x) => x >= 0 && x <= 1, words: 'a number from 0 (off) to 1' },
  repetitionPenalty: { fallback: 1, allowed: (x) => x > 0 && x <= 100, words: 'a number above 0; 1 is off' },
}

/**
 * Fills in the defaults (greedy) and checks every value.
 * @throws AwqError INVALID_ARGUMENT that names the option, its value and what is allowed
 */
export const samplingSettings = (options: SamplingOptions = {}): SamplingSettings => {
  const read = (name: keyof typeof rules): number => {
    const value = options[name] ?? rules[name].fallback
    if (typeof value !== 'number' || !rules[name].allowed(value)) {
      throw new AwqError('INVALID_ARGUMENT', `${name} must be ${rules[name].words}, not ${String(value)}.`)
    }
    return value
  }
  const seed = options.seed
  if (seed !== undefined && (!Number.isSafeInteger(seed) || seed < 0)) {
    throw new AwqError('INVALID_ARGUMENT', `seed must be an integer from 0 to 2^53 - 1, not ${String(seed)}.`)
  }
  return {
    temperature: read('temperature'),
    topK: read('topK'),
    topP: read('topP'),
    minP: read('minP'),
    repetitionPenalty: read('repetitionPenalty'),
    seed,
  }
}
