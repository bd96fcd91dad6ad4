import type { Session } from './command.ts'
import { formatSeconds } from './format.ts'
import type { ChatMessage, GenerateOptions, LanguageModel } from './libraries.ts'

/** The text of one generation and its figures. */
export interface Generation {
  readonly text: string
  /** True when `signal` stopped it; the text is what had come until then. */
  readonly stopped: boolean
  readonly tokens: number
  readonly promptTokens?: number
  readonly firstTokenSeconds: number
  /** Rate of the tokens after the first. */
  readonly tokensPerSecond?: number
}

/** `12 prompt tokens, first token after 0.14 s, 64 tokens at 42.1 tok/s` */
export const generationSummary = (result: Generation): string =>
  [
    ...(result.promptTokens === undefined ? [] : [`${result.promptTokens} prompt tokens`]),
    `first token after ${formatSeconds(result.firstTokenSeconds)}`,
    `${result.tokens} tokens${result.tokensPerSecond === undefined ? '' : ` at ${result.tokensPerSecond.toFixed(1)} tok/s`}`,
  ].join(', ')

/**
 * Streams a generation to stdout (`token` events with --json) and times it. A generation that is stopped by its own
 * signal returns what it has; one that is stopped by the session's rejects.
 */
export const streamGeneration = async (
  { reporter, context, signal }: Session,
  model: LanguageModel,
  prompt: { prompt: string } | { messages: ChatMessage[] },
  options: GenerateOptions,
): Promise<Generation> => {
  const start = context.now()
  let firstAt: number | undefined
  let tokens = 0
  let text = ''
  let stopped = false
  try {
    for await (const piece of model.generate(prompt, { signal, ...options })) {
      firstAt ??= context.now()
      tokens++
      text += piece.text
      if (piece.text === '') continue
      reporter.event({ type: 'token', text: piece.text })
      reporter.write(piece.text)
    }
  } catch (error) {
    if (signal.aborted || !options.signal?.aborted) throw error
    stopped = true
  }
  signal.throwIfAborted()
  const end = context.now()
  const seconds = (end - (firstAt ?? end)) / 1000
  return {
    text,
    stopped: stopped || options.signal?.aborted === true,
    tokens,
    firstTokenSeconds: ((firstAt ?? end) - start) / 1000,
    ...(tokens > 1 && seconds > 0 ? { tokensPerSecond: (tokens - 1) / seconds } : {}),
  }
}
