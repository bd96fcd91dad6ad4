/**
 * How fast a loaded model writes and reads, as whoever iterates over `generate` sees it.
 * @module
 */
import { AwqError } from '@awq/tensor'
import type { Generation, GenerationEvent } from './generation.ts'
import type { LanguageModel } from './language-model.ts'
import { createRandom } from './random.ts'

/** What is measured. */
export interface BenchmarkOptions {
  /** Tokens in the cache when decoding begins; default 16, 512, 1500 and 4000. Those that do not fit are left out. */
  readonly contexts?: readonly number[] | undefined
  /** Single-token steps that are timed at each context; default 64. */
  readonly tokens?: number | undefined
  /** Tokens of the prompt that prefill is timed on, at most what fits; default 512. */
  readonly promptTokens?: number | undefined
  /** Figures are medians of so many repetitions; default 3. */
  readonly repeat?: number | undefined
  /** Of the random token ids; default 0. */
  readonly seed?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Timed generations that are done, of those to do. */
  readonly onProgress?: ((event: { readonly done: number; readonly total: number }) => void) | undefined
}

/** Rate of the single-token steps after `context` tokens. */
export interface DecodeRate {
  readonly context: number
  readonly tokensPerSecond: number
}

/** What was measured. */
export interface BenchmarkResult {
  readonly decode: readonly DecodeRate[]
  /** From an empty cache to the first token. */
  readonly prefill: { readonly tokens: number; readonly tokensPerSecond: number }
  /** The contexts that were asked for and do not fit the model. */
  readonly skipped: readonly number[]
}

/** The contexts that are measured unless others are named. */
export const defaultContexts: readonly number[] = [16, 512, 1500, 4000]

/** The middle value; of an even number the mean of the two in the middle. */
export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}

const checkCount = (name: string, value: number): number => {
  if (Number.isSafeInteger(value) && value >= 1) return value
  throw new AwqError('INVALID_ARGUMENT', `${name} must be an integer of 1 or more, not ${String(value)}.`)
}

/**
 * Those of `contexts` that leave room for `tokens` more within `contextLength`, and the others. When none does, the
 * longest that would is taken, so that there is always one.
 */
export const fittingContexts = (
  contexts: readonly number[],
  tokens: number,
  contextLength: number,
): { readonly fitting: readonly number[]; readonly skipped: readonly number[] } => {
  const skipped = contexts.filter((context) => context + tokens > contextLength)
  const fitting = contexts.filter((context) => context + tokens <= contextLength)
  return { fitting: fitting.length > 0 ? fitting : [contextLength - tokens], skipped }
}

/** One generation, timed: seconds to the first token, and of the steps after it. */
const timeGeneration = async (generation: Generation): Promise<{ first: number; rest: number; steps: number }> => {
  const started = performance.now()
  let first = 0
  let last = 0
  let steps = 0
  for await (const _ of generation as AsyncIterable<GenerationEvent>) {
    last = performance.now()
    if (steps++ === 0) first = last
  }
  return { first: (first - started) / 1000, rest: (last - first) / 1000, steps: steps - 1 }
}

/**
 * Measures decoding and prefill of a model on random token ids, greedily, after a warm-up. Decoding is timed from the
 * first new token to the last, so that it holds everything a step costs: the model, the choice of the token, its text.
 * @throws AwqError INVALID_ARGUMENT for counts below 1, or a context of the model that is too short for one step;
 * rejects with `signal.reason`
 */
export const benchmark = async (model: LanguageModel, options: BenchmarkOptions = {}): Promise<BenchmarkResult> => {
  const { signal, onProgress } = options
  const { contextLength, description } = model
  const repeat = checkCount('repeat', options.repeat ?? 3)
  if (contextLength < 2) {
    throw new AwqError('INVALID_ARGUMENT', `A context of ${contextLength} leaves no room for a step to time.`)
  }
  const tokens = Math.min(checkCount('tokens', options.tokens ?? 64), contextLength - 1)
  const promptTokens = Math.min(checkCount('promptTokens', options.promptTokens ?? 512), contextLength)
  const contexts = [...new Set(options.contexts ?? defaultContexts)]
  for (const context of contexts) checkCount('A context', context)
  const { fitting, skipped } = fittingContexts(contexts, tokens, contextLength)
  const random = createRandom(options.seed ?? 0)
  const prompt = (length: number): number[] =>
    Array.from({ length }, () => Math.floor(random.next() * description.config.vocabSize))
  const run = (ids: readonly number[], maxNewTokens: number) =>
    timeGeneration(model.generate({ ids }, { maxNewTokens, ignoreEos: true, signal }))

  const total = repeat * (fitting.length + 1)
  let done = 0
  const report = (): void => onProgress?.({ done, total })
  const timed = async (work: () => Promise<number>): Promise<number> => {
    const rates: number[] = []
    for (let i = 0; i < repeat; i++) {
      rates.push(await work())
      done++
      report()
    }
    return median(rates)
  }

  report()
  await run(prompt(Math.min(promptTokens, contextLength - 1)), Math.min(8, tokens))
  // Prompts that share no first token, so that nothing can be taken from a cache of the one before.
  const fresh = (length: number, index: number): number[] => {
    const ids = prompt(length)
    ids[0] = index % description.config.vocabSize
    return ids
  }
  const prefillRate = await timed(async () => promptTokens / (await run(fresh(promptTokens, done), 1)).first)
  const decode: DecodeRate[] = []
  for (const context of fitting) {
    const ids = fresh(context, done)
    const tokensPerSecond = await timed(async () => {
      const { rest, steps } = await run(ids, tokens + 1)
      return steps / rest
    })
    decode.push({ context, tokensPerSecond })
  }
  return { decode, prefill: { tokens: promptTokens, tokensPerSecond: prefillRate }, skipped }
}
