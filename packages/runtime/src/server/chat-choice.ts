/**
 * One answer of a conversation, token by token: what of it is content, and what its logprobs are.
 * @module
 */
import type { FinishReason, GenerationEvent, GenerationResult } from '../generation.ts'
import type { LanguageModel } from '../language-model.ts'
import { type ChatLogprob, chatLogprob } from './logprobs.ts'

/** Why an answer ended, in the words of OpenAI's API. */
export type ChatFinish = 'stop' | 'length' | 'tool_calls'

/** What became known of an answer with one token. */
export interface ChatDelta {
  readonly content?: string
  readonly logprobs?: readonly ChatLogprob[]
}

/** An answer in the making. */
export interface ChatChoice {
  /** Undefined when nothing became known. */
  push(event: GenerationEvent): ChatDelta | undefined
  end(result: GenerationResult): { readonly delta?: ChatDelta; readonly finish: ChatFinish }
}

/** What OpenAI's API calls the ends of a generation. */
export const finishReasonOf = (reason: FinishReason): 'stop' | 'length' => (reason === 'length' ? 'length' : 'stop')

/** Begins an answer. */
export const createChatChoice = ({ tokenizer }: LanguageModel): ChatChoice => {
  const eosIds = new Set(tokenizer.eosIds)
  return {
    push(event) {
      const logprob = eosIds.has(event.id) ? undefined : chatLogprob(tokenizer, event)
      if (event.text === '' && !logprob) return undefined
      return { content: event.text, ...(logprob ? { logprobs: [logprob] } : {}) }
    },
    end: ({ finishReason }) => ({ finish: finishReasonOf(finishReason) }),
  }
}

/** A whole answer from its parts. */
export const joinDeltas = (deltas: readonly ChatDelta[]): { content: string; logprobs: ChatLogprob[] } => ({
  content: deltas.map(({ content }) => content ?? '').join(''),
  logprobs: deltas.flatMap(({ logprobs }) => logprobs ?? []),
})
