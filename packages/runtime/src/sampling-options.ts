import { AwqError, quoted } from '@awq/tensor'

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
  /** Subtracted from the logit of every token that is in the output already; -2 to 2, 0 (the default) changes none. */
  presencePenalty?: number | undefined
  /** Subtracted from the logit of a token as often as it is in the output already; -2 to 2, 0 (the default) changes none. */
  frequencyPenalty?: number | undefined
  /** Added to the logits of single tokens, by token id; -100 to 100. What is far below 0 bans a token in practice. */
  logitBias?: Readonly<Record<number, number>> | undefined
  /** Seed of the random numbers, an integer from 0 to 2^53 - 1; without one a random seed is drawn and reported. */
  seed?: number | undefined
}

/** SamplingOptions with every value present and checked; `seed` stays undefined when none was given. */
export type SamplingSettings = Record<NumericOption, number> & {
  seed: number | undefined
  logitBias: ReadonlyMap<number, number>
}

type NumericOption = Exclude<keyof SamplingOptions, 'seed' | 'logitBias'>

interface Rule {
  readonly fallback: number
  readonly allowed: (value: number) => boolean
  readonly words: string
}

const rules: Record<NumericOption, Rule> = {
  temperature: { fallback: 0, allowed: (x) => x >= 0 && x <= 100, words: 'a number from 0 (greedy) to 100' },
  topK: { fallback: 0, allowed: (x) => Number.isSafeInteger(x) && x >= 0, words: 'an integer, 0 (off) or more' },
  topP: { fallback: 1, allowed: (x) => x > 0 && x <= 1, words: 'a number above 0 and at most 1 (off)' },
  minP: { fallback: 0, allowed: (x) => x >= 0 && x <= 1, words: 'a number from 0 (off) to 1' },
  repetitionPenalty: { fallback: 1, allowed: (x) => x > 0 && x <= 100, words: 'a number above 0; 1 is off' },
  presencePenalty: { fallback: 0, allowed: (x) => x >= -2 && x <= 2, words: 'a number from -2 to 2; 0 is off' },
  frequencyPenalty: { fallback: 0, allowed: (x) => x >= -2 && x <= 2, words: 'a number from -2 to 2; 0 is off' },
}

/**
 * Fills in the defaults (greedy) and checks every value.
 * @throws AwqError INVALID_ARGUMENT that names the option, its value and what is allowed
 */
export const samplingSettings = (options: SamplingOptions = {}): SamplingSettings => {
  const read = (name: NumericOption): number => {
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
    presencePenalty: read('presencePenalty'),
    frequencyPenalty: read('frequencyPenalty'),
    logitBias: readBias(options.logitBias),
    seed,
  }
}

const mostBiases = 10_000

const readBias = (biases: SamplingOptions['logitBias'] = {}): ReadonlyMap<number, number> => {
  const refuse = (what: string): never => {
    throw new AwqError('INVALID_ARGUMENT', `logitBias must map token ids to numbers from -100 to 100${what}.`)
  }
  if (typeof biases !== 'object' || biases === null || Array.isArray(biases)) return refuse('')
  const entries = Object.entries(biases)
  if (entries.length > mostBiases) refuse(`, ${mostBiases} of them at most; got ${entries.length}`)
  return new Map(
    entries.map(([key, bias]) => {
      if (!/^\d{1,9}$/.test(key)) refuse(`; ${quoted(key)} is no token id`)
      if (typeof bias !== 'number' || !(Math.abs(bias) <= 100)) refuse(`; that of token ${key} is ${String(bias)}`)
      return [Number(key), bias]
    }),
  )
}
