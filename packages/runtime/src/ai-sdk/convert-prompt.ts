/**
 * The AI SDK's prompts, tools and formats as OpenAI's API writes them.
 * @module
 */
import {
  type LanguageModelV4CallOptions,
  type LanguageModelV4FilePart,
  type LanguageModelV4Message,
  type LanguageModelV4ToolResultPart,
  type SharedV4Warning,
  UnsupportedFunctionalityError,
} from '@ai-sdk/provider'
import type { ChatMessage } from '@awq/text'
import type { Tool } from '../tool-calls/index.ts'
import type { ChatCall } from './backend.ts'

const resultText = ({ output }: LanguageModelV4ToolResultPart): string => {
  switch (output.type) {
    case 'text':
    case 'error-text':
      return output.value
    case 'json':
    case 'error-json':
      return JSON.stringify(output.value)
    case 'execution-denied':
      return output.reason ?? 'The execution was denied.'
    case 'content':
      return output.value.map((part) => (part.type === 'text' ? part.text : unsupported(`${part.type} parts`))).join('')
  }
}

const unsupported = (functionality: string): never => {
  throw new UnsupportedFunctionalityError({ functionality })
}

const base64 = (bytes: Uint8Array): string => {
  let text = ''
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192))
  return btoa(text)
}

/** The URL of a file that is an image. @throws UnsupportedFunctionalityError for other files */
const imageUrl = ({ data: file, mediaType }: LanguageModelV4FilePart): string => {
  if (!/^image(\/|$)/.test(mediaType)) return unsupported(`files of type ${mediaType}`)
  if (file.type === 'url') return file.url.href
  if (file.type !== 'data') return unsupported(`images by ${file.type}`)
  // What it is shows in its bytes.
  const type = mediaType.includes('*') || !mediaType.includes('/') ? 'image/png' : mediaType
  return `data:${type};base64,${typeof file.data === 'string' ? file.data : base64(file.data)}`
}

const convertMessage = (message: LanguageModelV4Message): ChatMessage[] => {
  switch (message.role) {
    case 'system':
      return [{ role: 'system', content: message.content }]
    case 'user': {
      const texts = message.content.flatMap((part) => (part.type === 'text' ? [part.text] : []))
      if (texts.length === message.content.length) return [{ role: 'user', content: texts.join('\n') }]
      const parts = message.content.map((part) =>
        part.type === 'text'
          ? { type: 'text', text: part.text }
          : { type: 'image_url', image_url: { url: imageUrl(part) } },
      )
      return [{ role: 'user', content: parts }]
    }
    case 'assistant': {
      const texts = message.content.flatMap((part) => (part.type === 'text' ? [part.text] : []))
      const calls = message.content.flatMap((part) =>
        part.type === 'tool-call'
          ? [
              {
                id: part.toolCallId,
                type: 'function',
                function: { name: part.toolName, arguments: JSON.stringify(part.input ?? {}) },
              },
            ]
          : [],
      )
      return [{ role: 'assistant', content: texts.join(''), ...(calls.length > 0 ? { tool_calls: calls } : {}) }]
    }
    case 'tool':
      return message.content.flatMap((part) =>
        part.type === 'tool-result'
          ? [{ role: 'tool', tool_call_id: part.toolCallId, name: part.toolName, content: resultText(part) }]
          : [],
      )
  }
}

const convertTools = (
  { tools = [], toolChoice }: LanguageModelV4CallOptions,
  warnings: SharedV4Warning[],
): Pick<ChatCall, 'tools' | 'toolChoice'> => {
  if (toolChoice?.type === 'none') return { tools: [], toolChoice: 'auto' }
  const converted = tools.flatMap((tool): Tool[] => {
    if (tool.type === 'function') {
      const { name, description, inputSchema } = tool
      return [
        { type: 'function', function: { name, ...(description ? { description } : {}), parameters: inputSchema } },
      ]
    }
    warnings.push({ type: 'unsupported', feature: `provider-defined tool ${tool.id}` })
    return []
  })
  if (toolChoice?.type === 'tool') return { tools: converted, toolChoice: { name: toolChoice.toolName } }
  return { tools: converted, toolChoice: toolChoice?.type === 'required' ? 'required' : 'auto' }
}

/**
 * A call in the words of OpenAI's API, and warnings about what it cannot take over.
 * @throws UnsupportedFunctionalityError for files that are no images
 */
export const convertCall = (options: LanguageModelV4CallOptions): { call: ChatCall; warnings: SharedV4Warning[] } => {
  const warnings: SharedV4Warning[] = []
  const { responseFormat, reasoning } = options
  if (reasoning !== undefined && reasoning !== 'provider-default') {
    warnings.push({ type: 'unsupported', feature: 'reasoning' })
  }
  const json =
    responseFormat?.type === 'json'
      ? { schema: responseFormat.schema as unknown, name: responseFormat.name }
      : undefined
  const call = { messages: options.prompt.flatMap(convertMessage), ...convertTools(options, warnings), json, options }
  return { call, warnings }
}
