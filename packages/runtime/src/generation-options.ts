import { AwqError } from '@awq/tensor'
import { checkLogprobs } from './logprobs.ts'
import { type PromptLookupOptions, type PromptLookupSettings, promptLookupSettings } from './prompt-lookup.ts'
import { PromptTooLong } from './prompt-too-long.ts'
import { type SamplingOptions, type SamplingSettings, samplingSettings } from './sampling-options.ts'
import { createStopFilter } from './stop-strings.ts'
import type { Constraint } from './token-constraint.ts'
import type { TokenModel } from './token-model.ts'

/** Options of one generation. */
export interface GenerateOptions extends SamplingOptions {
  /** Stop after so many tokens, or when the context is full; an integer of 1 or more, 256 by default. */
  maxNewTokens?: number | undefined
  /** Texts that end the output; neither they nor what follows is shown. */
  stop?: readonly string[] | undefined
  /** Go on after an end-of-sequence token; false by default. */
  ignoreEos?: boolean | undefined
  /** Control tokens that the text shows, by id; without this it shows none. Those of tool calls: `toolCallMarkers`. */
  visibleTokens?: Iterable<number> | undefined
  /**
   * Draft tokens by what followed the last few where they stood before, and let one run of the model confirm them; false
   * by default. Faster where the output repeats parts of the prompt or of itself. The output stays the same, up to how a
   * model rounds several tokens in one run (the README says how much that is at each accuracy).
   */
  promptLookup?: boolean | PromptLookupOptions | undefined
  /**
   * Gives every event its token's log-probability and so many of the likeliest alternatives, 0 to 20. They are those of
   * the model's own distribution, before temperature, penalties, biases and constraints. None by default.
   */
  logprobs?: number | undefined
  /**
   * What may be written, such as JSON of a schema. The generation ends when it is complete and nothing may follow. Before
   * `maxNewTokens` are used up, a constraint that can (`within`; that of JSON does) goes the shortest way to an end; where
   * there is none in so few tokens, the text is a beginning of what was asked for.
   */
  constraint?: Constraint | undefined
  /** Ends the generation: iteration and `result` reject with `signal.reason`. */
  signal?: AbortSignal | undefined
}

/** GenerateOptions, checked. */
export interface GenerationPlan {
  /** As asked for, but no more than leaves every token but the last a place in the context. */
  readonly maxNewTokens: number
  readonly stop: readonly string[]
  readonly sampling: SamplingSettings
  readonly promptLookup: PromptLookupSettings | undefined
}

/**
 * Fills in the defaults and checks options and prompt.
 * @throws AwqError INVALID_ARGUMENT for options out of range, a prompt that is empty or longer than the context, ids
 * outside the vocabulary
 */
export const generationPlan = (
  model: Pick<TokenModel, 'contextLength' | 'largestContext' | 'vocabSize' | 'knows'>,
  prompt: readonly number[],
  options: GenerateOptions,
): GenerationPlan => {
  const { maxNewTokens = 256, stop = [] } = options
  if (!Number.isSafeInteger(maxNewTokens) || maxNewTokens < 1) {
    throw new AwqError('INVALID_ARGUMENT', `maxNewTokens must be an integer of 1 or more, not ${String(maxNewTokens)}.`)
  }
  createStopFilter(stop)
  checkLogprobs(options.logprobs)
  const plan = { stop, sampling: samplingSettings(options), promptLookup: promptLookupSettings(options.promptLookup) }
  if (prompt.length === 0) throw new AwqError('INVALID_ARGUMENT', 'The prompt has no tokens; give at least one.')
  checkLength(model, prompt.length)
  for (const id of plan.sampling.logitBias.keys()) {
    if (id >= model.vocabSize) {
      throw new AwqError(
        'INVALID_ARGUMENT',
        `logitBias names token ${id}; the vocabulary has ${model.vocabSize} tokens.`,
      )
    }
  }
  // The place, not the id: that of a hole is undefined.
  const inside = (id: number): boolean => Number.isInteger(id) && id >= 0 && id < model.vocabSize
  const wrong = prompt.findIndex((id) => !(model.knows?.(id) ?? inside(id)))
  if (wrong >= 0) {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `Token id ${prompt[wrong]} is outside the vocabulary of ${model.vocabSize} tokens.`,
    )
  }
  return { ...plan, maxNewTokens: Math.min(maxNewTokens, model.contextLength - prompt.length + 1) }
}

const checkLength = (model: Pick<TokenModel, 'contextLength' | 'largestContext'>, length: number): void => {
  const { contextLength, largestContext = contextLength } = model
  if (length <= contextLength) return
  const larger =
    largestContext > contextLength
      ? `The model takes up to ${largestContext}: load it with a larger contextLength, or shorten`
      : 'Shorten'
  const advice = `${larger} the prompt by at least ${length - contextLength} tokens; of a conversation, leave out the oldest messages.`
  throw new PromptTooLong(contextLength, length, true, advice)
}
