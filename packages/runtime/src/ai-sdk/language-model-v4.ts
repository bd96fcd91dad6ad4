/**
 * The AI SDK's LanguageModel over a backend.
 * @module
 */
import type {
  LanguageModelV4,
  LanguageModelV4Content,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
  SharedV4Warning,
} from '@ai-sdk/provider'
import type { ChatBackend, ChatEvent, ChatUsage } from './backend.ts'
import { convertCall } from './convert-prompt.ts'

const usageOf = ({ promptTokens, cachedTokens, newTokens }: ChatUsage): LanguageModelV4Usage => ({
  inputTokens: {
    total: promptTokens,
    noCache: promptTokens === undefined ? undefined : promptTokens - (cachedTokens ?? 0),
    cacheRead: cachedTokens,
    cacheWrite: undefined,
  },
  outputTokens: { total: newTokens, text: newTokens, reasoning: undefined },
})

const textId = '0'

/** A model for `generateText`, `streamText` and the like. */
export const languageModelV4 = (
  provider: string,
  modelId: string,
  backend: ChatBackend,
  newId: () => string,
): LanguageModelV4 => ({
  specificationVersion: 'v4',
  provider,
  modelId,
  supportedUrls: {},
  async doGenerate(options) {
    const { call, warnings } = convertCall(options)
    const content: LanguageModelV4Content[] = []
    let text = ''
    for await (const event of await backend(call)) {
      if (event.type === 'text') text += event.text
      else {
        if (text !== '') content.push({ type: 'text', text })
        text = ''
        if (event.type === 'call') {
          content.push({ type: 'tool-call', toolCallId: event.id, toolName: event.name, input: event.arguments })
        } else {
          return {
            content,
            finishReason: { unified: event.reason, raw: event.raw },
            usage: usageOf(event.usage),
            warnings,
            response: { id: newId(), timestamp: new Date(), modelId },
          }
        }
      }
    }
    throw new Error('The answer ended without a reason.')
  },
  async doStream(options) {
    const { call, warnings } = convertCall(options)
    const events = (await backend(call))[Symbol.asyncIterator]()
    return { stream: streamOf(events, { id: newId(), modelId, warnings }) }
  },
})

const streamOf = (
  events: AsyncIterator<ChatEvent>,
  { id, modelId, warnings }: { id: string; modelId: string; warnings: SharedV4Warning[] },
): ReadableStream<LanguageModelV4StreamPart> => {
  let inText = false
  const partsOf = (event: ChatEvent): LanguageModelV4StreamPart[] => {
    if (event.type === 'text') {
      const begins = !inText
      inText = true
      const delta: LanguageModelV4StreamPart = { type: 'text-delta', id: textId, delta: event.text }
      return begins ? [{ type: 'text-start', id: textId }, delta] : [delta]
    }
    const parts: LanguageModelV4StreamPart[] = inText ? [{ type: 'text-end', id: textId }] : []
    inText = false
    if (event.type === 'finish') {
      const finishReason = { unified: event.reason, raw: event.raw }
      return [...parts, { type: 'finish', finishReason, usage: usageOf(event.usage) }]
    }
    const { id: toolCallId, name: toolName, arguments: input } = event
    return [
      ...parts,
      { type: 'tool-input-start', id: toolCallId, toolName },
      { type: 'tool-input-delta', id: toolCallId, delta: input },
      { type: 'tool-input-end', id: toolCallId },
      { type: 'tool-call', toolCallId, toolName, input },
    ]
  }
  return new ReadableStream({
    start(controller) {
      controller.enqueue({ type: 'stream-start', warnings })
      controller.enqueue({ type: 'response-metadata', id, modelId, timestamp: new Date() })
    },
    async pull(controller) {
      try {
        const { done, value } = await events.next()
        if (done) controller.close()
        else for (const part of partsOf(value)) controller.enqueue(part)
      } catch (error) {
        controller.enqueue({ type: 'error', error })
        controller.close()
      }
    },
    async cancel() {
      await events.return?.()
    },
  })
}
