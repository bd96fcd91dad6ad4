import type { ChatMessage } from '@awq/text'
import { badParameter } from './api-error.ts'
import type { RequestMessage } from './chat-schema.ts'

type Content = string | readonly { readonly type: string; readonly [key: string]: unknown }[] | null | undefined

/** Types of parts that carry something else than text, in words. */
const otherParts: Readonly<Record<string, string>> = {
  image_url: 'images',
  input_image: 'images',
  image: 'images',
  input_audio: 'audio',
  file: 'files',
  input_file: 'files',
  video_url: 'videos',
}

/** Types of parts that are text, with the key that holds it. */
const textParts: Readonly<Record<string, string>> = {
  text: 'text',
  input_text: 'text',
  output_text: 'text',
  refusal: 'refusal',
}

/**
 * The text of a message's content; several parts are lines of it.
 * @throws ApiError 400 for parts that are no text
 */
export const contentText = (content: Content, param: string): string => {
  if (typeof content === 'string') return content
  return (content ?? [])
    .map((part, index) => {
      const key = textParts[part.type]
      const text = key === undefined ? undefined : part[key]
      if (typeof text === 'string') return text
      const other = otherParts[part.type]
      const where = `${param}[${index}]`
      if (other)
        throw badParameter(
          where,
          `This model reads no ${other}: only parts of type 'text' are supported.`,
          'unsupported_value',
        )
      if (key === undefined)
        throw badParameter(`${where}.type`, `Invalid value for '${where}.type': only 'text' is supported.`)
      throw badParameter(
        `${where}.${key}`,
        `Missing required parameter: '${where}.${key}'.`,
        'missing_required_parameter',
      )
    })
    .join('\n')
}

/** The messages of a request as chat templates read them: text contents, no nulls, `developer` under its older name. */
export const templateMessages = (messages: readonly RequestMessage[]): ChatMessage[] =>
  messages.map((message, index): ChatMessage => {
    const content = contentText(message.content, `messages[${index}].content`)
    switch (message.role) {
      case 'assistant': {
        const calls = message.tool_calls ?? []
        if (calls.length === 0 && (message.content ?? message.refusal ?? null) === null) {
          const param = `messages[${index}].content`
          throw badParameter(param, `Missing required parameter: '${param}'.`, 'missing_required_parameter')
        }
        return {
          role: 'assistant',
          content: content === '' ? (message.refusal ?? '') : content,
          ...(calls.length ? { tool_calls: calls } : {}),
        }
      }
      case 'tool':
        return { role: 'tool', content, tool_call_id: message.tool_call_id }
      default:
        return {
          role: message.role === 'developer' ? 'system' : message.role,
          content,
          ...(message.name ? { name: message.name } : {}),
        }
    }
  })
