/**
 * Log-probabilities as OpenAI's two APIs write them.
 * @module
 */
import type { Tokenizer } from '@awq/text'
import type { GenerationEvent } from '../generation.ts'
import type { Logprob } from '../logprobs.ts'

/** A token with its text. */
export interface TokenText {
  readonly token: string
  readonly logprob: number
  /** What it adds to a text, in UTF-8: a part of a character for some. */
  readonly bytes: readonly number[] | null
}

/** One token of an answer and the likeliest ones in its place. */
export interface ChatLogprob extends TokenText {
  readonly top_logprobs: readonly TokenText[]
}

const tokenText = (tokenizer: Tokenizer, { id, logprob }: Logprob): TokenText => {
  const bytes = tokenizer.tokenBytes(id)
  // JSON has no -Infinity; what cannot be drawn is written as OpenAI writes it.
  return {
    token: bytes ? new TextDecoder().decode(bytes) : tokenizer.decode([id], { continuation: true }),
    logprob: Math.max(logprob, -9999),
    bytes: bytes ? [...bytes] : null,
  }
}

/** `logprobs.content[]` of a chat's answer for an event that has log-probabilities. */
export const chatLogprob = (tokenizer: Tokenizer, { logprob }: GenerationEvent): ChatLogprob | undefined =>
  logprob && {
    ...tokenText(tokenizer, logprob),
    top_logprobs: logprob.top.map((other) => tokenText(tokenizer, other)),
  }

/** `logprobs` of a completion. */
export interface CompletionLogprobs {
  readonly tokens: string[]
  readonly token_logprobs: (number | null)[]
  readonly top_logprobs: (Record<string, number> | null)[] | null
  readonly text_offset: number[]
}

/**
 * Writes the log-probabilities of a completion token by token; the chosen token is among the alternatives always.
 * `offset` is where its text begins in the answer's, prompt included where it is shown.
 */
export const completionLogprobs = (
  tokenizer: Tokenizer,
  alternatives: number,
  offset: number,
): ((event: GenerationEvent) => CompletionLogprobs | undefined) => {
  let at = offset
  return ({ logprob }) => {
    if (!logprob) return undefined
    const chosen = tokenText(tokenizer, logprob)
    const start = at
    at += chosen.token.length
    const top = logprob.top.map((other) => tokenText(tokenizer, other))
    return {
      tokens: [chosen.token],
      token_logprobs: [chosen.logprob],
      top_logprobs:
        alternatives === 0
          ? null
          : [Object.fromEntries([...top, chosen].map((other) => [other.token, other.logprob] as const))],
      text_offset: [start],
    }
  }
}

/** Those of several tokens as those of one text. */
export const joinLogprobs = (parts: readonly CompletionLogprobs[]): CompletionLogprobs => ({
  tokens: parts.flatMap(({ tokens }) => tokens),
  token_logprobs: parts.flatMap(({ token_logprobs }) => token_logprobs),
  top_logprobs: parts[0]?.top_logprobs === null ? null : parts.flatMap(({ top_logprobs }) => top_logprobs ?? []),
  text_offset: parts.flatMap(({ text_offset }) => text_offset),
})
