/**
 * The token loop: prompt in, chosen tokens and their text out, as an async iterable that stops when it is told to.
 * @module
 */
import { AwqError } from '@awq/tensor'
import { createRandom, randomSeed } from './random.ts'
import { sample } from './sampling.ts'
import { type SamplingOptions, samplingSettings } from './sampling-options.ts'
import { sharedIteration } from './shared-iteration.ts'
import { createStopFilter } from './stop-strings.ts'
import type { TokenModel } from './token-model.ts'

export type { Conversation, TokenModel } from './token-model.ts'

/** Options of one generation. */
export interface GenerateOptions extends SamplingOptions {
  /** Stop after so many tokens; an integer of 1 or more, 256 by default. */
  maxNewTokens?: number | undefined
  /** Texts that end the output; neither they nor what follows is shown. */
  stop?: readonly string[] | undefined
  /** Go on after an end-of-sequence token; false by default. */
  ignoreEos?: boolean | undefined
  /** Ends the generation: iteration and `result` reject with `signal.reason`. */
  signal?: AbortSignal | undefined
}

/** Why a generation ended. `abort`: the consumer left the loop by `break` or `return`. */
export type FinishReason = 'stop' | 'length' | 'eos' | 'abort'

/** One token. The texts of all events, joined, are the text of the result. */
export interface GenerationEvent {
  readonly id: number
  /** Text that became certain with this token: '' while a character is incomplete or a stop string may be beginning. */
  readonly text: string
  /** 0 for the first new token. */
  readonly index: number
}

/** What a generation came to. */
export interface GenerationResult {
  readonly text: string
  /** The new tokens, an end-of-sequence token included. */
  readonly ids: readonly number[]
  readonly finishReason: FinishReason
  /** The stop string that ended it, with finishReason 'stop'. */
  readonly stopString?: string
  readonly promptTokens: number
  readonly newTokens: number
  /** From the start to the end, and to the first token. */
  readonly seconds: number
  readonly firstTokenSeconds: number
  /** The seed in use: given again, it repeats this output. */
  readonly seed: number
}

/**
 * A running generation. Iterate over it, or await `result`, or both: an event is delivered once, and `result` alone
 * also drives it to the end.
 */
export interface Generation extends AsyncIterable<GenerationEvent> {
  readonly result: Promise<GenerationResult>
}

interface Plan {
  readonly maxNewTokens: number
  readonly stop: readonly string[]
}

const readPlan = (model: TokenModel, prompt: readonly number[], options: GenerateOptions): Plan => {
  const maxNewTokens = options.maxNewTokens ?? 256
  if (!Number.isSafeInteger(maxNewTokens) || maxNewTokens < 1) {
    throw new AwqError('INVALID_ARGUMENT', `maxNewTokens must be an integer of 1 or more, not ${String(maxNewTokens)}.`)
  }
  if (prompt.length === 0) throw new AwqError('INVALID_ARGUMENT', 'The prompt has no tokens; give at least one.')
  if (prompt.length > model.contextLength) {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `The prompt has ${prompt.length} tokens, more than the context of ${model.contextLength}. Shorten it.`,
    )
  }
  const wrong = prompt.find((id) => !Number.isInteger(id) || id < 0 || id >= model.vocabSize)
  if (wrong !== undefined) {
    throw new AwqError('INVALID_ARGUMENT', `Token id ${wrong} is outside the vocabulary of ${model.vocabSize} tokens.`)
  }
  return { maxNewTokens, stop: options.stop ?? [] }
}

/**
 * Starts a generation. Nothing runs before the first step is asked for, by iteration or by `result`.
 * @throws AwqError INVALID_ARGUMENT at once, for options out of range, a prompt that is empty or longer than the context
 */
export const generate = (model: TokenModel, prompt: readonly number[], options: GenerateOptions = {}): Generation => {
  const plan = readPlan(model, prompt, options)
  const settings = samplingSettings(options)
  const seed = settings.seed ?? randomSeed()
  createStopFilter(plan.stop)
  let finished: GenerationResult | undefined
  const ids: number[] = []
  const texts: string[] = []

  async function* steps(): AsyncGenerator<GenerationEvent, void> {
    const { signal } = options
    const started = performance.now()
    const seconds = () => (performance.now() - started) / 1000
    const random = createRandom(seed)
    const decoder = model.createDecoder()
    const filter = createStopFilter(plan.stop)
    const context = new Set(prompt)
    let firstTokenSeconds = 0
    let finishReason: FinishReason = 'abort'
    let stopString: string | undefined
    signal?.throwIfAborted()
    const conversation = model.open(prompt)
    try {
      let input: readonly number[] = prompt
      let ended = false
      while (!ended) {
        const logits = await conversation.extend(input, { signal })
        signal?.throwIfAborted()
        const id = sample(logits, settings, random, context)
        if (ids.length === 0) firstTokenSeconds = seconds()
        ids.push(id)
        context.add(id)
        const reason = endOf(id, ids.length)
        // Nothing comes after the last token: what the decoder and the filter hold back is final.
        let shown = filter.push(reason === 'eos' ? decoder.flush() : decoder.push(id))
        let text = shown.text
        if (reason && shown.stopped === undefined) {
          if (reason !== 'eos') {
            shown = filter.push(decoder.flush())
            text += shown.text
          }
          text += filter.flush().text
        }
        ended = reason !== undefined || shown.stopped !== undefined
        if (ended) {
          stopString = shown.stopped
          finishReason = stopString === undefined ? (reason as FinishReason) : 'stop'
        }
        texts.push(text)
        yield { id, text, index: ids.length - 1 }
        input = [id]
      }
    } finally {
      conversation.dispose()
      finished = {
        text: texts.join(''),
        ids,
        finishReason,
        ...(stopString === undefined ? {} : { stopString }),
        promptTokens: prompt.length,
        newTokens: ids.length,
        seconds: seconds(),
        firstTokenSeconds,
        seed,
      }
    }
  }

  const endOf = (id: number, count: number): FinishReason | undefined => {
    if (!options.ignoreEos && model.eosIds.has(id)) return 'eos'
    // The next step would have to put this token into the context.
    return count >= plan.maxNewTokens || prompt.length + count > model.contextLength ? 'length' : undefined
  }

  const nothing: GenerationResult = {
    text: '',
    ids,
    finishReason: 'abort',
    promptTokens: prompt.length,
    newTokens: 0,
    seconds: 0,
    firstTokenSeconds: 0,
    seed,
  }
  return sharedIteration(steps(), () => finished ?? nothing)
}
