import { defined } from './defined.ts'
import type { GenerateOptions } from './libraries.ts'
import { accuracy, flag, type OptionTable, optional, repeated, type Values, withDefault } from './options.ts'
import { integer, number, text } from './values.ts'

/** How text is generated; shared by `run` and `chat`. */
export const generateOptions = {
  maxNewTokens: withDefault('N', integer(1, 10_000_000), 256, 'Stop after so many tokens'),
  temperature: withDefault('T', number(0, 100), 0, '0 takes the likeliest token; more makes the choice more random'),
  topK: optional('K', integer(1), 'Choose among the K likeliest tokens'),
  topP: optional('P', number(0, 1), 'Choose among the likeliest tokens that sum to probability P'),
  minP: optional('P', number(0, 1), 'Choose among tokens at least P times as likely as the likeliest'),
  repetitionPenalty: optional('R', number(0.01, 100), 'Above 1: make tokens that were there before less likely'),
  seed: optional('N', integer(0), 'Seed of the random choice'),
  stop: repeated('TEXT', text, 'Stop before this text'),
  promptLookup: flag('Guess tokens from the text so far and check many at once: same text, sooner where it repeats'),
  accuracy: withDefault('MODE', accuracy, 'fast', 'exact: float32 activations; fast: int8 where the engine can'),
} satisfies OptionTable

/** The generation options that were given, under the library's names. */
export const samplingOf = (values: Values<typeof generateOptions>): GenerateOptions => {
  const { maxNewTokens, temperature, topK, topP, minP, repetitionPenalty, seed, stop, promptLookup } = values
  return {
    ...defined({ topK, topP, minP, repetitionPenalty, seed }),
    maxNewTokens,
    temperature,
    ...(stop.length === 0 ? {} : { stop }),
    ...(promptLookup ? { promptLookup } : {}),
  }
}
