import type { FinishReason, GenerationResult } from '../generation.ts'
import type { LanguageModel } from '../language-model.ts'
import { type AnswerRequest, type Answers, startAnswers, usageOf } from './answers.ts'
import { badParameter } from './api-error.ts'
import { templateMessages } from './chat-messages.ts'
import { type ChatRequest, chatRequest } from './chat-schema.ts'
import { type Exchange, jsonResponse, readBody, useModel } from './exchange.ts'
import { newId, unixSeconds } from './ids.ts'
import { chatTokens } from './prompt.ts'
import { samplingOptions } from './sampling-parameters.ts'
import { streamAnswer } from './stream-answer.ts'

/** What OpenAI's API calls the ends of a generation. */
export const finishReasonOf = (reason: FinishReason): 'stop' | 'length' => (reason === 'length' ? 'length' : 'stop')

/** What the parameters say together. @throws ApiError 400 */
const checkRequest = (request: ChatRequest, maxChoices: number): void => {
  if (request.stream_options && !request.stream) {
    throw badParameter('stream_options', "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
  }
  if (request.top_logprobs && !request.logprobs) {
    throw badParameter('top_logprobs', "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.")
  }
  if ((request.n ?? 1) > maxChoices) {
    throw badParameter('n', `This server gives up to ${maxChoices} answers to a request.`, 'integer_above_max_value')
  }
}

const answerRequests = (request: ChatRequest, ids: readonly number[], most: number): AnswerRequest[] => {
  const wanted = request.max_completion_tokens ?? request.max_tokens ?? Number.MAX_SAFE_INTEGER
  return Array.from({ length: request.n ?? 1 }, (_, index) => ({
    ids,
    continuation: false,
    options: { ...samplingOptions(request, index), maxNewTokens: Math.min(wanted, most) },
  }))
}

/** `POST /v1/chat/completions`. */
export const createChatCompletion = async (exchange: Exchange): Promise<Response> => {
  const { settings, scope } = exchange
  const request = await readBody(exchange, chatRequest)
  checkRequest(request, settings.limits.maxChoices)
  const model: LanguageModel = await useModel(exchange, request.model)
  const ids = chatTokens(model, templateMessages(request.messages), undefined)
  scope.record.promptTokens = ids.length
  const answers = startAnswers(exchange, model, answerRequests(request, ids, settings.limits.maxTokens))
  const common = { id: newId('chatcmpl-'), created: unixSeconds(), model: scope.record.model as string }
  return request.stream
    ? streamChat(exchange, request, answers, ids.length, common)
    : await wholeChat(answers, ids.length, common)
}

interface Common {
  readonly id: string
  readonly created: number
  readonly model: string
}

const wholeChat = async (answers: Answers, promptTokens: number, common: Common): Promise<Response> => {
  const results = await answers.run(() => undefined)
  const choice = ({ text, finishReason }: GenerationResult, index: number) => ({
    index,
    message: { role: 'assistant', content: text, refusal: null, annotations: [] },
    logprobs: null,
    finish_reason: finishReasonOf(finishReason),
  })
  return jsonResponse({
    ...common,
    object: 'chat.completion',
    choices: results.map(choice),
    usage: usageOf(promptTokens, results),
  })
}

const streamChat = (
  exchange: Exchange,
  request: ChatRequest,
  answers: Answers,
  promptTokens: number,
  common: Common,
): Response =>
  streamAnswer(exchange, async (sink) => {
    const withUsage = request.stream_options?.include_usage === true
    const chunk = (choices: readonly unknown[], usage: unknown = null): string =>
      JSON.stringify({ ...common, object: 'chat.completion.chunk', choices, ...(withUsage ? { usage } : {}) })
    const delta = (index: number, part: object, finish_reason: string | null = null) =>
      sink.send(chunk([{ index, delta: part, logprobs: null, finish_reason }]))
    for (const index of answers.generations.keys())
      await delta(index, { role: 'assistant', content: '', refusal: null })
    const results = await answers.run(
      (index, { text }) => (text === '' ? undefined : delta(index, { content: text })),
      (index, { finishReason }) => delta(index, {}, finishReasonOf(finishReason)),
    )
    if (withUsage) await sink.send(chunk([], usageOf(promptTokens, results)))
    await sink.send('[DONE]')
  })
