import type { Session } from './command.ts'
import { formatCount, formatSeconds, plural } from './format.ts'
import type { GenerateOptions, LanguageModel, PromptInput } from './libraries.ts'

/** The text of one generation and its figures. */
export interface GenerationReport {
  readonly text: string
  readonly tokens: number
  /** Why it ended: `eos`, `length`, `stop` (a stop string), or `abort` when its signal stopped it. */
  readonly finishReason: string
  readonly seconds: number
  readonly promptTokens?: number
  readonly firstTokenSeconds?: number
  /** Tokens of the prompt that the turn before had left in the cache. */
  readonly reusedTokens?: number
  /** With --prompt-lookup: tokens that were guessed, and how many of them were right. */
  readonly draftedTokens?: number
  readonly acceptedTokens?: number
  /** Rate of the tokens after the first. */
  readonly tokensPerSecond?: number
  /** With a temperature above 0: the seed that repeats this text. */
  readonly seed?: number
}

/** `12 prompt tokens, first token after 0.14 s, 64 tokens at 42.1 tok/s` */
export const generationSummary = (report: GenerationReport): string =>
  [
    ...(report.promptTokens === undefined ? [] : [plural(report.promptTokens, 'prompt token')]),
    ...(report.reusedTokens ? [`${formatCount(report.reusedTokens)} of them known`] : []),
    ...(report.firstTokenSeconds === undefined ? [] : [`first token after ${formatSeconds(report.firstTokenSeconds)}`]),
    `${plural(report.tokens, 'token')}${report.tokensPerSecond === undefined ? '' : ` at ${report.tokensPerSecond.toFixed(1)} tok/s`}`,
    ...(report.draftedTokens ? [`${report.acceptedTokens} of ${report.draftedTokens} guesses right`] : []),
    ...(report.finishReason === 'length' ? ['cut off by its length'] : []),
    ...(report.seed === undefined ? [] : [`seed ${report.seed}`]),
  ].join(', ')

/**
 * Streams a generation to stdout (`token` events with --json). One that is stopped by its own signal returns what it
 * has; one that is stopped by the session's rejects.
 */
export const streamGeneration = async (
  { reporter, context, signal }: Session,
  model: LanguageModel,
  prompt: PromptInput,
  options: GenerateOptions,
): Promise<GenerationReport> => {
  const start = context.now()
  const generation = model.generate(prompt, { signal, ...options })
  let tokens = 0
  let text = ''
  try {
    for await (const piece of generation) {
      tokens++
      text += piece.text
      if (piece.text === '') continue
      reporter.event({ type: 'token', text: piece.text })
      reporter.write(piece.text)
    }
  } catch (error) {
    if (signal.aborted || !options.signal?.aborted) throw error
    return { text, tokens, finishReason: 'abort', seconds: (context.now() - start) / 1000 }
  }
  signal.throwIfAborted()
  const { promptTokens, finishReason, seconds, firstTokenSeconds, seed, ...counts } = await generation.result
  const { reusedTokens, draftedTokens, acceptedTokens } = counts
  const decodeSeconds = seconds - firstTokenSeconds
  return {
    text,
    tokens,
    finishReason,
    seconds,
    promptTokens,
    firstTokenSeconds,
    ...(reusedTokens > 0 ? { reusedTokens } : {}),
    ...(options.promptLookup ? { draftedTokens, acceptedTokens } : {}),
    ...(tokens > 1 && decodeSeconds > 0 ? { tokensPerSecond: (tokens - 1) / decodeSeconds } : {}),
    ...((options.temperature ?? 0) > 0 ? { seed } : {}),
  }
}
