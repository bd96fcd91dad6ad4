import { AwqError } from '@awq/tensor'
import type { ChatMessage, Tokenizer } from '@awq/text'
import {
  createToolCallParser,
  messagesWithTools,
  type Tool,
  type ToolCallFormat,
  type ToolCallParser,
  toolCallFormat,
  toolCallMarkers,
} from '../tool-calls/index.ts'
import { badParameter } from './api-error.ts'

/** What a model is to know of functions, and how its calls are read. */
export interface ToolUse {
  /** For the chat template. */
  readonly messages: readonly ChatMessage[]
  readonly tools: readonly Tool[] | undefined
  readonly format: ToolCallFormat
  /** Control tokens around calls, which the parser has to see. */
  readonly visibleTokens: readonly number[]
  /** One per answer; undefined when nothing may be called. */
  readonly createParser: (() => ToolCallParser) | undefined
}

/**
 * Brings a conversation and the functions that may be called into the form of the model's chat template.
 * @throws ApiError 400 for earlier calls whose arguments are no JSON
 */
export const prepareTools = (
  tokenizer: Pick<Tokenizer, 'chatTemplate' | 'tokenId'>,
  messages: readonly ChatMessage[],
  tools: readonly Tool[],
  param = 'messages',
): ToolUse => {
  const format = toolCallFormat(tokenizer.chatTemplate)
  let shown: ReturnType<typeof messagesWithTools>
  try {
    shown = messagesWithTools(messages, tools, format)
  } catch (error) {
    if (AwqError.is(error) && error.code === 'INVALID_ARGUMENT') throw badParameter(param, error.message)
    throw error
  }
  const schemas = new Map(tools.map(({ function: { name, parameters } }) => [name, parameters]))
  const markers = tools.length === 0 ? [] : toolCallMarkers(format)
  return {
    messages: shown.messages,
    tools: shown.tools.length === 0 ? undefined : shown.tools,
    format,
    visibleTokens: markers.flatMap((marker) => tokenizer.tokenId(marker) ?? []),
    createParser: tools.length === 0 ? undefined : () => createToolCallParser(format, schemas),
  }
}
