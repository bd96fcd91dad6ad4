/**
 * The token loop: prompt in, chosen tokens and their text out, as an async iterable that stops when it is told to.
 * @module
 */
import type { PrepareOptions } from './encode-in-pieces.ts'
import { type GenerateOptions, generationPlan } from './generation-options.ts'
import type { TokenLogprob } from './logprobs.ts'
import { nextTokens } from './next-tokens.ts'
import { createDrafter } from './prompt-lookup.ts'
import { createRandom, randomSeed } from './random.ts'
import { createSampler } from './sampler.ts'
import { sharedIteration } from './shared-iteration.ts'
import { createStopFilter } from './stop-strings.ts'
import type { TokenModel } from './token-model.ts'

/** Why a generation ended. `eos`: an end-of-sequence token, or a constraint after which nothing may come; `abort`: the consumer left the loop by `break` or `return`. */
export type FinishReason = 'stop' | 'length' | 'eos' | 'abort'

/** One token. The texts of all events, joined, are the text of the result. */
export interface GenerationEvent {
  readonly id: number
  /** Text that became certain with this token: '' while a character is incomplete or a stop string may be beginning. */
  readonly text: string
  /** 0 for the first new token. */
  readonly index: number
  /** With `logprobs`: how probable the model held this token and the likeliest others. */
  readonly logprob?: TokenLogprob
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
  /** Tokens of the prompt that were still in a cache and did not run again. */
  readonly reusedTokens: number
  readonly newTokens: number
  /** Tokens that `promptLookup` drafted, and how many of them are in the output. */
  readonly draftedTokens: number
  readonly acceptedTokens: number
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

/**
 * A prompt whose ids are not there at once: images have to be read first. Asked for with the first step; what it holds is let go
 * with the last.
 */
export type PromptSource = (options: {
  readonly signal: AbortSignal | undefined
  readonly onHold: NonNullable<PrepareOptions['onHold']>
}) => Promise<readonly number[]>

/**
 * Starts a generation. Nothing runs before the first step is asked for, by iteration or by `result`.
 * @throws AwqError at once: INVALID_ARGUMENT for options out of range, a prompt that is empty or longer than the context; BUSY
 * where the queue of a batch is full. A place in that queue is taken with the first step, which rejects with BUSY when others
 * were faster.
 */
export const generate = (
  model: TokenModel,
  given: readonly number[] | PromptSource,
  options: GenerateOptions = {},
): Generation => {
  // Of a prompt that is yet to come, the options alone are checked now.
  let prompt = typeof given === 'function' ? [0] : given
  let plan = generationPlan(model, prompt, options)
  model.check?.()
  const seed = plan.sampling.seed ?? randomSeed()
  const { signal } = options
  const ids: number[] = []
  const texts: string[] = []
  const counts = { reusedTokens: 0, draftedTokens: 0, acceptedTokens: 0 }
  const times = { seconds: 0, firstTokenSeconds: 0 }
  let finishReason: FinishReason = 'abort'
  let stopString: string | undefined

  const ends = (id: number): boolean => !options.ignoreEos && model.eosIds.has(id)
  const endOf = (id: number, finished: boolean): FinishReason | undefined => {
    if (ends(id) || finished) return 'eos'
    return ids.length >= plan.maxNewTokens ? 'length' : undefined
  }

  async function* steps(onHold: (release: () => void) => unknown): AsyncGenerator<GenerationEvent, void> {
    const started = performance.now()
    const seconds = () => (performance.now() - started) / 1000
    signal?.throwIfAborted()
    if (typeof given === 'function') {
      prompt = await given({ signal, onHold })
      signal?.throwIfAborted()
      plan = generationPlan(model, prompt, options)
    }
    if (model.hold) onHold(model.hold(prompt))
    const show = createText(model, plan.stop, new Set(options.visibleTokens))
    const sampler = createSampler(plan.sampling, createRandom(seed))
    const drafter = plan.promptLookup && model.tokensAtOnce !== 1 ? createDrafter(plan.promptLookup) : undefined
    const constraint = options.constraint?.start()
    const fixed = { model, sampler, drafter, constraint, logprobs: options.logprobs, ends, signal }
    const context = [...prompt]
    sampler.see(prompt)
    const conversation = model.open(prompt, { most: prompt.length + plan.maxNewTokens })
    const { length: kept } = conversation
    try {
      let ended = false
      while (!ended) {
        const most = plan.maxNewTokens - ids.length
        const next = await nextTokens(context, most, { ...fixed, conversation })
        if (ids.length === 0) {
          times.firstTokenSeconds = seconds()
          counts.reusedTokens = kept + (conversation.reused ?? 0)
        }
        counts.draftedTokens += next.drafted
        for (const [place, id] of next.ids.entries()) {
          // Several events may come of one run; an abort between them is seen too.
          signal?.throwIfAborted()
          ids.push(id)
          if (place < next.accepted) counts.acceptedTokens++
          const reason = endOf(id, place === next.ids.length - 1 && constraint?.finished === true)
          const { text, stopped } = show(id, reason)
          texts.push(text)
          ended = reason !== undefined || stopped !== undefined
          if (ended) {
            stopString = stopped
            finishReason = stopped === undefined ? (reason as FinishReason) : 'stop'
          }
          const logprob = next.logprobs[place]
          yield { id, text, index: ids.length - 1, ...(logprob ? { logprob } : {}) }
          if (ended) break
        }
      }
    } catch (error) {
      // Nothing of a cache that led to a failure is used again; an abort leaves whole tokens behind.
      if (!signal?.aborted) conversation.truncate(0)
      throw error
    } finally {
      conversation.dispose()
      times.seconds = seconds()
    }
  }

  async function* holding(): AsyncGenerator<GenerationEvent, void> {
    const releases: (() => void)[] = []
    try {
      yield* steps((release) => releases.push(release))
    } finally {
      for (const release of releases) release()
    }
  }

  return sharedIteration(holding(), () => ({
    text: texts.join(''),
    ids,
    finishReason,
    ...(stopString === undefined ? {} : { stopString }),
    promptTokens: prompt.length,
    newTokens: ids.length,
    ...counts,
    ...times,
    seed,
  }))
}

/** The text that becomes certain with each token, and the stop string that ended it. */
const createText = (
  model: Pick<TokenModel, 'createDecoder' | 'eosIds'>,
  stop: readonly string[],
  visibleTokens: ReadonlySet<number>,
): ((id: number, reason: FinishReason | undefined) => { text: string; stopped: string | undefined }) => {
  const decoder = model.createDecoder(visibleTokens)
  const filter = createStopFilter(stop)
  return (id, reason) => {
    const end = reason === 'eos' && model.eosIds.has(id)
    let shown = filter.push(end ? decoder.flush() : decoder.push(id))
    let { text } = shown
    // Nothing comes after the last token: what the decoder and the filter hold back is final.
    if (reason && shown.stopped === undefined) {
      if (!end) {
        shown = filter.push(decoder.flush())
        text += shown.text
      }
      text += filter.flush().text
    }
    return { text, stopped: shown.stopped }
  }
}
