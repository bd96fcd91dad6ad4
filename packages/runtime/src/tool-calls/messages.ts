/**
 * Conversations with functions, brought into the form that chat templates read.
 * @module
 */
import { AwqError } from '@awq/tensor'
import type { ChatMessage } from '@awq/text'
import type { ToolCallFormat } from './format.ts'

/** A function that may be called, as OpenAI's API writes it. */
export interface Tool {
  readonly type: 'function'
  readonly function: {
    readonly name: string
    readonly description?: string | undefined
    /** JSON schema of an object; none for a function without arguments. */
    readonly parameters?: unknown
  }
}

type Json = Record<string, unknown>

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

/** What a chat template is rendered with. */
export interface MessagesWithTools {
  readonly messages: readonly ChatMessage[]
  /** For the template; empty where it knows no functions and `messages` describe them. */
  readonly tools: readonly Tool[]
}

/**
 * Messages and functions for a chat template. Arguments of earlier calls, JSON text in OpenAI's API, become objects, which
 * is what templates print. Where the template knows no functions, they are described in the system message, and calls and
 * their results become plain messages.
 * @throws AwqError INVALID_ARGUMENT for earlier calls whose arguments are no JSON object
 */
export const messagesWithTools = (
  messages: readonly ChatMessage[],
  tools: readonly Tool[],
  format: ToolCallFormat,
): MessagesWithTools => {
  const read = messages.map(withObjects)
  if (format.inTemplate) return { messages: read, tools }
  const plain = read.map(withoutTools)
  if (tools.length === 0) return { messages: plain, tools }
  const [first, ...rest] = plain
  const described = description(tools)
  const isSystem = first?.role === 'system' && typeof first.content === 'string'
  const system = isSystem ? `${first.content}\n\n${described}` : described
  return { messages: [{ role: 'system', content: system }, ...(isSystem ? rest : plain)], tools: [] }
}

const withObjects = (message: ChatMessage): ChatMessage => {
  const calls = message.tool_calls
  if (!Array.isArray(calls)) return message
  const read = calls.map((call: unknown) => {
    const called = isObject(call) ? call.function : undefined
    if (!isObject(call) || !isObject(called)) {
      throw new AwqError('INVALID_ARGUMENT', 'Every entry of tool_calls needs a function with name and arguments.')
    }
    return { ...call, function: { ...called, arguments: objectOf(called.arguments, called.name) } }
  })
  return { ...message, content: message.content ?? '', tool_calls: read }
}

const objectOf = (given: unknown, name: unknown): Json => {
  if (isObject(given)) return given
  if (given === undefined || given === '') return {}
  try {
    const value: unknown = JSON.parse(String(given))
    if (isObject(value)) return value
  } catch {}
  throw new AwqError('INVALID_ARGUMENT', `The arguments of the call of ${String(name)} must be JSON text of an object.`)
}

const withoutTools = (message: ChatMessage): ChatMessage => {
  if (message.role === 'tool' || message.role === 'function') {
    return { role: 'user', content: `Result of the function: ${textOf(message.content)}` }
  }
  if (!Array.isArray(message.tool_calls)) return message
  const calls = (message.tool_calls as { function: Json }[]).map(({ function: { name, arguments: given } }) =>
    JSON.stringify({ name, arguments: given }),
  )
  return { role: message.role, content: [textOf(message.content), ...calls].filter((text) => text !== '').join('\n') }
}

const textOf = (content: ChatMessage['content']): string =>
  typeof content === 'string' ? content : (content ?? []).map(({ text }) => text ?? '').join('')

const description = (tools: readonly Tool[]): string =>
  [
    'You can call these functions:',
    ...tools.map(({ function: called }) => JSON.stringify(called)),
    'To call one, answer with nothing but a JSON object: {"name": "the function", "arguments": {"its": "arguments"}}',
  ].join('\n')
