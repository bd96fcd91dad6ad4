import { AwqError } from '@awq/tensor'
import type { ChatMessage } from '@awq/text'
import type { LanguageModel } from '../language-model.ts'
import type { Constraint } from '../token-constraint.ts'
import {
  createToolCallParser,
  messagesWithTools,
  type Tool,
  type ToolCallFormat,
  toolCallFormat,
  toolCallMarkerIds,
} from '../tool-calls/index.ts'
import { answerConstraint } from './answer-format.ts'
import { badParameter } from './api-error.ts'
import { type ChatChoice, createChatChoice } from './chat-choice.ts'

/** Which functions may be called, and whether one must be. */
export type ToolChoice = 'none' | 'auto' | 'required' | { readonly name: string }

/** What a request says of functions and of the form of its answer. */
export interface ToolRequest {
  readonly tools: readonly Tool[]
  readonly choice: ToolChoice
  /** One call at most. */
  readonly single: boolean
  /** JSON schema of the answer's content. */
  readonly schema: Readonly<Record<string, unknown>> | undefined
  /** What the request calls its messages, its choice and its schema. */
  readonly names: { readonly messages: string; readonly choice: string; readonly schema: string }
}

/** How a conversation is put to a model and its answers are read. */
export interface ToolUse {
  /** For the chat template. */
  readonly messages: readonly ChatMessage[]
  readonly tools: readonly Tool[] | undefined
  /** Control tokens around calls, which the parser has to see. */
  readonly visibleTokens: readonly number[]
  readonly constraint: Constraint | undefined
  /** One answer's reader. */
  readonly createChoice: () => ChatChoice
}

/**
 * Brings a conversation, the functions that may be called and the form of the answer to a model.
 * @throws ApiError 400 for earlier calls whose arguments are no JSON, a choice of a function that there is not, a schema that
 * is not supported
 */
export const prepareTools = async (
  model: LanguageModel,
  messages: readonly ChatMessage[],
  request: ToolRequest,
  signal: AbortSignal,
): Promise<ToolUse> => {
  const { choice, schema, names } = request
  const { tokenizer } = model
  const format = toolCallFormat(tokenizer.chatTemplate)
  const shown = choice === 'none' ? [] : request.tools
  const forced = forcedTools(shown, request)
  const rendered = withTools(messages, shown, format, names.messages)
  const isNamed = typeof choice === 'object'
  const content = forced.length > 0 ? undefined : schema
  // With a schema, calls may come in its place; without one, what is not forced is told from text while it is written.
  const calls = forced.length > 0 ? forced : schema ? shown : []
  const parallel = !request.single && !isNamed
  const constraint = await answerConstraint(model, { schema: content, calls, parallel }, format, {
    param: forced.length > 0 ? 'tools' : names.schema,
    signal,
  })
  const schemas = new Map(shown.map(({ function: { name, parameters } }) => [name, parameters]))
  return {
    messages: rendered.messages,
    tools: rendered.tools.length === 0 ? undefined : rendered.tools,
    visibleTokens: shown.length === 0 ? [] : toolCallMarkerIds(format, tokenizer),
    constraint,
    createChoice: () =>
      createChatChoice(model, {
        parser: shown.length === 0 ? undefined : createToolCallParser(format, schemas),
        mostCalls: request.single ? 1 : undefined,
        calledFinish: isNamed ? 'stop' : 'tool_calls',
      }),
  }
}

/** The functions of which one must be called; none when none must. */
const forcedTools = (tools: readonly Tool[], { choice, names }: ToolRequest): readonly Tool[] => {
  if (typeof choice === 'string') {
    if (choice === 'required' && tools.length === 0) {
      throw badParameter(names.choice, `'${names.choice}' is 'required', but there are no tools.`)
    }
    return choice === 'required' ? tools : []
  }
  const named = tools.filter((tool) => tool.function.name === choice.name)
  if (named.length > 0) return named
  throw badParameter(names.choice, `'${names.choice}' names a function that is not among the tools.`)
}

const withTools = (messages: readonly ChatMessage[], tools: readonly Tool[], format: ToolCallFormat, param: string) => {
  try {
    return messagesWithTools(messages, tools, format)
  } catch (error) {
    if (AwqError.is(error) && error.code === 'INVALID_ARGUMENT') throw badParameter(param, error.message)
    throw error
  }
}
