import type { GenerationResult } from '../generation.ts'
import type { LanguageModel } from '../language-model.ts'
import { type AnswerRequest, type Answers, startAnswers, usageOf } from './answers.ts'
import { badParameter } from './api-error.ts'
import { type ChatChoice, type ChatDelta, type ChatFinish, joinDeltas } from './chat-choice.ts'
import { templateMessages } from './chat-messages.ts'
import { type PreparedChat, prepareChat } from './chat-prompt.ts'
import { type ChatRequest, chatRequest } from './chat-schema.ts'
import { type Exchange, jsonResponse, readBody, useModel } from './exchange.ts'
import { newId, unixSeconds } from './ids.ts'
import type { ChatLogprob } from './logprobs.ts'
import type { ReadImage } from './message-content.ts'
import { checkLogitBias, samplingOptions } from './sampling-parameters.ts'
import { streamAnswer } from './stream-answer.ts'
import type { ToolRequest } from './tools.ts'

/** What the parameters say together. @throws ApiError 400 */
const checkRequest = (request: ChatRequest, maxChoices: number): void => {
  if (request.stream_options && !request.stream) {
    throw badParameter('stream_options', "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
  }
  for (const [older, newer] of [
    ['functions', 'tools'],
    ['function_call', 'tool_choice'],
  ] as const) {
    const given = request[older] ?? undefined
    if (given !== undefined)
      throw badParameter(older, `Send '${newer}' in place of '${older}'.`, 'unsupported_parameter')
  }
  if (request.top_logprobs && !request.logprobs) {
    throw badParameter('top_logprobs', "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.")
  }
  if ((request.n ?? 1) > maxChoices) {
    throw badParameter('n', `This server gives up to ${maxChoices} answers to a request.`, 'integer_above_max_value')
  }
}

/** What a request says of functions and of the form of its answer. */
const toolRequest = ({ tools, tool_choice, parallel_tool_calls, response_format }: ChatRequest): ToolRequest => ({
  tools: (tools ?? []).map(({ function: { name, description, parameters } }) => ({
    type: 'function',
    function: { name, ...(description ? { description } : {}), ...(parameters ? { parameters } : {}) },
  })),
  choice: typeof tool_choice === 'object' && tool_choice ? tool_choice.function : (tool_choice ?? 'auto'),
  single: parallel_tool_calls === false,
  schema: formatSchema(response_format),
  names: { messages: 'messages', choice: 'tool_choice', schema: 'response_format' },
})

const formatSchema = (format: ChatRequest['response_format']): Readonly<Record<string, unknown>> | undefined => {
  if (format?.type === 'json_object') return { type: 'object' }
  return format?.type === 'json_schema' ? (format.json_schema.schema ?? { type: 'object' }) : undefined
}

const answerRequests = (
  request: ChatRequest,
  { ids, visibleTokens, constraint }: PreparedChat,
  most: number,
): AnswerRequest[] => {
  const wanted = request.max_completion_tokens ?? request.max_tokens ?? Number.MAX_SAFE_INTEGER
  return Array.from({ length: request.n ?? 1 }, (_, index) => ({
    ids,
    continuation: false,
    options: {
      ...samplingOptions(request, index),
      visibleTokens,
      constraint,
      maxNewTokens: Math.min(wanted, most),
      logprobs: request.logprobs ? (request.top_logprobs ?? 0) : undefined,
    },
  }))
}

/** `POST /v1/chat/completions`. */
export const createChatCompletion = async (exchange: Exchange): Promise<Response> => {
  const { settings, scope } = exchange
  const request = await readBody(exchange, chatRequest)
  checkRequest(request, settings.limits.maxChoices)
  const model: LanguageModel = await useModel(exchange, request.model)
  checkLogitBias(request.logit_bias, model.description.config.vocabSize)
  const messagesOf = (read: ReadImage) => templateMessages(request.messages, read)
  const chat = await prepareChat(exchange, model, messagesOf, {
    ...toolRequest(request),
    variables: request.chat_template_kwargs ?? undefined,
  })
  const answers = startAnswers(exchange, model, answerRequests(request, chat, settings.limits.maxTokens))
  const writing: Writing = {
    answers,
    choices: answers.generations.map(() => chat.createChoice()),
    common: { id: newId('chatcmpl-'), created: unixSeconds(), model: scope.record.model as string },
    logprobsWanted: request.logprobs === true,
    usageWanted: request.stream_options?.include_usage === true,
    usage: (results) => usageOf(chat.ids.length, results),
  }
  return request.stream ? streamChat(exchange, writing) : await wholeChat(writing)
}

/** What the two ways of answering share. */
interface Writing {
  readonly answers: Answers
  readonly choices: readonly ChatChoice[]
  readonly common: { readonly id: string; readonly created: number; readonly model: string }
  readonly logprobsWanted: boolean
  readonly usageWanted: boolean
  readonly usage: (results: readonly GenerationResult[]) => ReturnType<typeof usageOf>
}

const logprobsOf = (content: readonly ChatLogprob[], wanted: boolean) => (wanted ? { content, refusal: null } : null)

const wholeChat = async ({ answers, choices, common, logprobsWanted, usage }: Writing): Promise<Response> => {
  const deltas: ChatDelta[][] = choices.map(() => [])
  const finishes: ChatFinish[] = []
  const results = await answers.run(
    (index, event) => {
      const delta = choices[index]?.push(event)
      if (delta) deltas[index]?.push(delta)
      return undefined
    },
    (index, result) => {
      const end = (choices[index] as ChatChoice).end(result)
      if (end.delta) deltas[index]?.push(end.delta)
      finishes[index] = end.finish
      return undefined
    },
  )
  return jsonResponse({
    ...common,
    object: 'chat.completion',
    choices: deltas.map((parts, index) => {
      const { content, toolCalls, logprobs } = joinDeltas(parts)
      const called = toolCalls.length > 0
      return {
        index,
        message: {
          role: 'assistant',
          content: called && content === '' ? null : content,
          refusal: null,
          annotations: [],
          ...(called ? { tool_calls: toolCalls } : {}),
        },
        logprobs: logprobsOf(logprobs, logprobsWanted),
        finish_reason: finishes[index],
      }
    }),
    usage: usage(results),
  })
}

const streamChat = (exchange: Exchange, writing: Writing): Response =>
  streamAnswer(exchange, async (sink) => {
    const { answers, choices, common, logprobsWanted, usageWanted } = writing
    const chunk = (parts: readonly unknown[], usage: unknown = null): string =>
      JSON.stringify({ ...common, object: 'chat.completion.chunk', choices: parts, ...(usageWanted ? { usage } : {}) })
    const called = choices.map(() => 0)
    const send = (index: number, known: ChatDelta & { role?: string }, finish: ChatFinish | null = null) => {
      const { logprobs, tool_calls, ...delta } = known
      const calls = tool_calls?.map((call) => ({ index: (called[index] as number)++, ...call }))
      return sink.send(
        chunk([
          {
            index,
            delta: calls ? { ...delta, tool_calls: calls } : delta,
            logprobs: logprobs ? logprobsOf(logprobs, logprobsWanted) : null,
            finish_reason: finish,
          },
        ]),
      )
    }
    for (const index of choices.keys()) await send(index, { role: 'assistant', content: '' })
    const results = await answers.run(
      (index, event) => {
        const delta = choices[index]?.push(event)
        return delta && send(index, delta)
      },
      async (index, result) => {
        const { delta, finish } = (choices[index] as ChatChoice).end(result)
        if (delta) await send(index, delta)
        await send(index, {}, finish)
      },
    )
    if (usageWanted) await sink.send(chunk([], writing.usage(results)))
    await sink.send('[DONE]')
  })
