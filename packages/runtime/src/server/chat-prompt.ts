import { createTurns } from '@awq/ort'
import type { ChatMessage } from '@awq/text'
import type { MessagesInput } from '../input-encoder.ts'
import type { LanguageModel } from '../language-model.ts'
import { badParameter } from './api-error.ts'
import type { Exchange } from './exchange.ts'
import { createRequestImages } from './images/request-images.ts'
import { type ReadImage, withPixels } from './message-content.ts'
import { chatTokens } from './prompt.ts'
import { prepareTools, type ToolRequest, type ToolUse } from './tools.ts'

/** A conversation, ready to be answered. */
export interface PreparedChat extends ToolUse {
  readonly ids: readonly number[]
}

/** Pixels are large: those of one request at a time are in memory. */
const turns = createTurns()

/** Refuses the images of a request, for a model that reads text alone. */
const blind =
  (model: string | undefined): ReadImage =>
  (_, param) =>
    Promise.reject(
      badParameter(
        param,
        `The model '${model}' reads no images, only text. GET /v1/models says of each model whether it does (images).`,
        'unsupported_value',
      ),
    )

/**
 * The tokens of a conversation and how its answers are bound and read.
 * @param messagesOf the messages of the request, its images by a function
 * @throws ApiError 400 as `templateMessages`, `prepareTools`, `createRequestImages` and `chatTokens`
 */
export const prepareChat = async (
  { settings, scope }: Exchange,
  model: LanguageModel,
  messagesOf: (read: ReadImage) => Promise<ChatMessage[]>,
  request: ToolRequest & Pick<MessagesInput, 'variables'>,
): Promise<PreparedChat> => {
  const { limits, imageHosts } = settings
  const { signal, record } = scope
  const images = createRequestImages(
    {
      images: limits.images,
      bytes: limits.bodyBytes,
      pixels: limits.imagePixels,
      seconds: limits.imageSeconds,
      allowed: imageHosts,
    },
    signal,
  )
  const given = await messagesOf(model.sees ? images.read : blind(record.model))
  const toolUse = await prepareTools(model, given, request, signal)
  const { messages, tools } = toolUse
  const tokensOf = (shown: readonly ChatMessage[]): Promise<number[]> =>
    chatTokens(model, { messages: shown, tools, variables: request.variables, param: request.names.messages }, scope)
  const ids = messages.some(({ content }) => Array.isArray(content))
    ? await turns.take(async () => {
        signal.throwIfAborted()
        return tokensOf(await withPixels(messages, images.decode))
      })
    : await tokensOf(messages)
  record.promptTokens = ids.length
  return { ...toolUse, ids }
}
