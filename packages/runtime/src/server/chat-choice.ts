/**
 * One answer of a conversation, token by token: what of it is content, what a call of a function, what its logprobs are.
 * @module
 */
import type { FinishReason, GenerationEvent, GenerationResult } from '../generation.ts'
import type { LanguageModel } from '../language-model.ts'
import type { ToolCallParser, ToolCallPart } from '../tool-calls/index.ts'
import { newId } from './ids.ts'
import { type ChatLogprob, chatLogprob } from './logprobs.ts'

/** Why an answer ended, in the words of OpenAI's API. */
export type ChatFinish = 'stop' | 'length' | 'tool_calls'

/** A call of a function in an answer. */
export interface ChatToolCall {
  readonly id: string
  readonly type: 'function'
  readonly function: { readonly name: string; readonly arguments: string }
}

/** What became known of an answer with one token. */
export interface ChatDelta {
  readonly content?: string
  readonly tool_calls?: readonly ChatToolCall[]
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

/** How an answer is read. */
export interface ChatChoiceOptions {
  /** Tells calls of functions from content. */
  readonly parser?: ToolCallParser | undefined
  /** Calls that are told; all by default. */
  readonly mostCalls?: number | undefined
  /** What an answer with calls ends with: `stop` where the client named the function, as OpenAI's API has it. */
  readonly calledFinish?: ChatFinish
}

/** Begins an answer. */
export const createChatChoice = (
  { tokenizer }: Pick<LanguageModel, 'tokenizer'>,
  { parser, mostCalls = Number.POSITIVE_INFINITY, calledFinish = 'tool_calls' }: ChatChoiceOptions = {},
): ChatChoice => {
  const eosIds = new Set(tokenizer.eosIds)
  let calls = 0
  const read = (parts: readonly ToolCallPart[]): ChatDelta => {
    let content = ''
    const made: ChatToolCall[] = []
    for (const part of parts) {
      if (part.type === 'content') content += part.text
      else if (calls < mostCalls) {
        calls++
        const { name, arguments: given } = part.call
        made.push({ id: newId('call_'), type: 'function', function: { name, arguments: given } })
      }
    }
    return { ...(content === '' ? {} : { content }), ...(made.length === 0 ? {} : { tool_calls: made }) }
  }
  const known = (delta: ChatDelta): ChatDelta | undefined => (Object.keys(delta).length === 0 ? undefined : delta)
  return {
    push(event) {
      const logprob = eosIds.has(event.id) ? undefined : chatLogprob(tokenizer, event)
      const delta = parser ? read(parser.push(event.text)) : event.text === '' ? {} : { content: event.text }
      return known({ ...delta, ...(logprob ? { logprobs: [logprob] } : {}) })
    },
    end({ finishReason }) {
      const delta = parser && known(read(parser.flush()))
      const finish = finishReasonOf(finishReason)
      return { ...(delta ? { delta } : {}), finish: calls > 0 && finish === 'stop' ? calledFinish : finish }
    },
  }
}

/** A whole answer from its parts. */
export const joinDeltas = (deltas: readonly ChatDelta[]) => ({
  content: deltas.map(({ content }) => content ?? '').join(''),
  toolCalls: deltas.flatMap(({ tool_calls }) => tool_calls ?? []),
  logprobs: deltas.flatMap(({ logprobs }) => logprobs ?? []),
})
