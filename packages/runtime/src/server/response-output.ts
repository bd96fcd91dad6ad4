/**
 * The items of an answer of `/v1/responses`, and the events that tell of them while they are written.
 * @module
 */
import type { ChatDelta, ChatToolCall } from './chat-choice.ts'
import { newId } from './ids.ts'
import type { ChatLogprob } from './logprobs.ts'

/** An event without its number. */
export type OutputEvent = { readonly type: string } & Readonly<Record<string, unknown>>

/** What an answer consists of. */
export type OutputItem = { readonly id: string; readonly type: string } & Readonly<Record<string, unknown>>

/** An answer in the making. */
export interface ResponseOutput {
  readonly items: readonly OutputItem[]
  /** The events of what became known. */
  push(delta: ChatDelta): OutputEvent[]
  /** The events of the end; `complete` is false when the answer was cut off. */
  end(complete: boolean): OutputEvent[]
}

const textPart = (text: string, logprobs: readonly ChatLogprob[]) => ({
  type: 'output_text',
  text,
  annotations: [],
  logprobs,
})

/** Begins an answer: a message as soon as there is content, a call of a function as soon as it is whole. */
export const createResponseOutput = (): ResponseOutput => {
  const items: OutputItem[] = []
  let message: { readonly id: string; text: string; readonly logprobs: ChatLogprob[] } | undefined

  const messageItem = (id: string, status: string, content: readonly unknown[]): OutputItem => ({
    id,
    type: 'message',
    status,
    role: 'assistant',
    content,
  })

  const openMessage = (): OutputEvent[] => {
    const id = newId('msg_')
    message = { id, text: '', logprobs: [] }
    return [
      { type: 'response.output_item.added', output_index: items.length, item: messageItem(id, 'in_progress', []) },
      {
        type: 'response.content_part.added',
        item_id: id,
        output_index: items.length,
        content_index: 0,
        part: textPart('', []),
      },
    ]
  }

  const closeMessage = (complete: boolean): OutputEvent[] => {
    if (!message) return []
    const { id, text, logprobs } = message
    const at = { item_id: id, output_index: items.length, content_index: 0 }
    const part = textPart(text, logprobs)
    const item = messageItem(id, complete ? 'completed' : 'incomplete', [part])
    const events = [
      { type: 'response.output_text.done', ...at, text, logprobs },
      { type: 'response.content_part.done', ...at, part },
      { type: 'response.output_item.done', output_index: items.length, item },
    ]
    items.push(item)
    message = undefined
    return events
  }

  const callEvents = ({ id: callId, function: called }: ChatToolCall): OutputEvent[] => {
    const id = newId('fc_')
    const item = { id, type: 'function_call', status: 'completed', call_id: callId, ...called }
    const at = { item_id: id, output_index: items.length }
    const begun = { ...item, status: 'in_progress', arguments: '' }
    const events = [
      { type: 'response.output_item.added', output_index: items.length, item: begun },
      { type: 'response.function_call_arguments.delta', ...at, delta: called.arguments },
      { type: 'response.function_call_arguments.done', ...at, name: called.name, arguments: called.arguments },
      { type: 'response.output_item.done', output_index: items.length, item },
    ]
    items.push(item)
    return events
  }

  return {
    items,
    push({ content, tool_calls = [], logprobs = [] }) {
      const events: OutputEvent[] = []
      if (content !== undefined || logprobs.length > 0) {
        if (!message) events.push(...openMessage())
        if (message) {
          message.text += content ?? ''
          message.logprobs.push(...logprobs)
          const at = { item_id: message.id, output_index: items.length, content_index: 0 }
          events.push({ type: 'response.output_text.delta', ...at, delta: content ?? '', logprobs })
        }
      }
      for (const call of tool_calls) events.push(...closeMessage(true), ...callEvents(call))
      return events
    },
    end(complete) {
      const empty = items.length === 0 && !message
      return [...(empty ? openMessage() : []), ...closeMessage(complete)]
    },
  }
}
