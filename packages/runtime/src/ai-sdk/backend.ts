/**
 * What both kinds of models of the AI SDK have in common: messages in, pieces of an answer out.
 * @module
 */
import type { LanguageModelV4CallOptions, LanguageModelV4FinishReason } from '@ai-sdk/provider'
import type { ChatMessage } from '@awq/text'
import type { Tool } from '../tool-calls/index.ts'

/** What is asked of a model, in the words of OpenAI's API. */
export interface ChatCall {
  readonly messages: readonly ChatMessage[]
  readonly tools: readonly Tool[]
  /** `auto` without functions, too. */
  readonly toolChoice: 'auto' | 'required' | { readonly name: string }
  /** Undefined for text; `schema` undefined for any JSON object. */
  readonly json: { readonly schema: unknown; readonly name: string | undefined } | undefined
  readonly options: LanguageModelV4CallOptions
}

/** Counts of tokens. */
export interface ChatUsage {
  readonly promptTokens: number | undefined
  readonly cachedTokens: number | undefined
  readonly newTokens: number | undefined
}

/** A piece of an answer. */
export type ChatEvent =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'call'; readonly id: string; readonly name: string; readonly arguments: string }
  | {
      readonly type: 'finish'
      readonly reason: LanguageModelV4FinishReason['unified']
      readonly raw: string | undefined
      readonly usage: ChatUsage
    }

/** Answers chats. What is wrong from the start rejects the promise; what fails later, the iteration. */
export type ChatBackend = (call: ChatCall) => Promise<AsyncIterable<ChatEvent>>
