import type { ChatMessage } from '@awq/text'
import { badParameter } from './api-error.ts'
import type { RequestMessage } from './chat-schema.ts'
import { contentText, messageContent, type ReadImage } from './message-content.ts'

/**
 * The messages of a request as chat templates read them: no nulls, `developer` under its older name.
 * @throws ApiError 400 for contents that no model reads, and as `read`
 */
export const templateMessages = async (
  messages: readonly RequestMessage[],
  read: ReadImage,
): Promise<ChatMessage[]> => {
  const shown: ChatMessage[] = []
  for (const [index, message] of messages.entries())
    shown.push(await templateMessage(message, `messages[${index}].content`, read))
  return shown
}

const templateMessage = async (message: RequestMessage, param: string, read: ReadImage): Promise<ChatMessage> => {
  switch (message.role) {
    case 'assistant': {
      const content = contentText(message.content, param)
      const calls = message.tool_calls ?? []
      if (calls.length === 0 && (message.content ?? message.refusal ?? null) === null)
        throw badParameter(param, `Missing required parameter: '${param}'.`, 'missing_required_parameter')
      return {
        role: 'assistant',
        content: content === '' ? (message.refusal ?? '') : content,
        ...(calls.length ? { tool_calls: calls } : {}),
      }
    }
    case 'tool':
      return { role: 'tool', content: contentText(message.content, param), tool_call_id: message.tool_call_id }
    case 'user':
      return { role: 'user', content: await messageContent(message.content, param, read), ...named(message) }
    default:
      return { role: 'system', content: contentText(message.content, param), ...named(message) }
  }
}

const named = ({ name }: { readonly name?: string | null | undefined }) => (name ? { name } : {})
