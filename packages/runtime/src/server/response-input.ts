import type { ChatMessage } from '@awq/text'
import { badParameter } from './api-error.ts'
import { contentText, messageContent, type ReadImage } from './message-content.ts'
import type { ResponseRequest } from './response-schema.ts'

/**
 * The items of a request as messages for a chat template: instructions first, calls of one turn in one message.
 * @throws ApiError 400 for what no model reads, and as `read`
 */
export const responseMessages = async (
  { input, instructions }: ResponseRequest,
  read: ReadImage,
): Promise<ChatMessage[]> => {
  const messages: ChatMessage[] = instructions ? [{ role: 'system', content: instructions }] : []
  if (typeof input === 'string') return [...messages, { role: 'user', content: input }]
  for (const [index, item] of input.entries()) {
    const at = `input[${index}]`
    if (item.type === 'reasoning') continue
    if (item.type === 'function_call') {
      const call = {
        id: item.call_id,
        type: 'function',
        function: { name: item.name, arguments: item.arguments },
      }
      const last = messages.at(-1)
      if (last?.role === 'assistant') {
        const calls = (last.tool_calls as readonly unknown[] | undefined) ?? []
        messages[messages.length - 1] = { ...last, tool_calls: [...calls, call] }
      } else messages.push({ role: 'assistant', content: '', tool_calls: [call] })
    } else if (item.type === 'function_call_output') {
      const content = contentText(item.output, `${at}.output`)
      messages.push({ role: 'tool', tool_call_id: item.call_id, content })
    } else {
      const role = item.role === 'developer' ? 'system' : item.role
      const reads = role === 'user' ? messageContent : contentText
      messages.push({ role, content: await reads(item.content, `${at}.content`, read) })
    }
  }
  if (messages.length === 0) throw badParameter('input', 'The input has no message.')
  return messages
}
