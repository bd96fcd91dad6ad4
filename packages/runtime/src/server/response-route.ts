import type { GenerationResult } from '../generation.ts'
import { type Answers, startAnswers, usageOf } from './answers.ts'
import { badParameter } from './api-error.ts'
import type { ChatChoice } from './chat-choice.ts'
import { prepareChat } from './chat-prompt.ts'
import { type Exchange, jsonResponse, readBody, useModel } from './exchange.ts'
import { newId, unixSeconds } from './ids.ts'
import type { ReadImage } from './message-content.ts'
import { responseMessages } from './response-input.ts'
import { createResponseOutput, type OutputEvent } from './response-output.ts'
import { type ResponseRequest, responseRequest } from './response-schema.ts'
import { samplingOptions } from './sampling-parameters.ts'
import { streamAnswer } from './stream-answer.ts'
import type { ToolRequest } from './tools.ts'

/** Nothing is kept between requests. @throws ApiError 400 for what would need it */
const checkRequest = (request: ResponseRequest): void => {
  const refuse = (param: string, why: string) => badParameter(param, why, 'unsupported_parameter')
  const whole = 'This server keeps no responses: send the whole conversation as input.'
  if (request.previous_response_id) throw refuse('previous_response_id', whole)
  if (request.conversation) throw refuse('conversation', whole)
  if (request.background) throw refuse('background', 'Responses in the background are not supported.')
}

/** What a request says of functions and of the form of its answer. */
const toolRequest = ({ tools, tool_choice, parallel_tool_calls, text }: ResponseRequest): ToolRequest => ({
  tools: (tools ?? []).map(({ name, description, parameters }) => ({
    type: 'function',
    function: { name, ...(description ? { description } : {}), ...(parameters ? { parameters } : {}) },
  })),
  choice: tool_choice ?? 'auto',
  single: parallel_tool_calls === false,
  schema:
    text?.format?.type === 'json_schema'
      ? text.format.schema
      : text?.format?.type === 'json_object'
        ? { type: 'object' }
        : undefined,
  names: { messages: 'input', choice: 'tool_choice', schema: 'text.format' },
})

/** `POST /v1/responses`. */
export const createResponse = async (exchange: Exchange): Promise<Response> => {
  const { settings, scope } = exchange
  const request = await readBody(exchange, responseRequest)
  checkRequest(request)
  const model = await useModel(exchange, request.model)
  const messagesOf = (read: ReadImage) => responseMessages(request, read)
  const chat = await prepareChat(exchange, model, messagesOf, toolRequest(request))
  const wantsLogprobs = request.top_logprobs || request.include?.includes('message.output_text.logprobs')
  const answers = startAnswers(exchange, model, [
    {
      ids: chat.ids,
      continuation: false,
      options: {
        ...samplingOptions(request),
        visibleTokens: chat.visibleTokens,
        constraint: chat.constraint,
        maxNewTokens: Math.min(request.max_output_tokens ?? Number.MAX_SAFE_INTEGER, settings.limits.maxTokens),
        logprobs: wantsLogprobs ? (request.top_logprobs ?? 0) : undefined,
      },
    },
  ])
  const choice = chat.createChoice()
  const frame = responseFrame(request, scope.record.model as string)
  return request.stream ? streamResponse(exchange, answers, choice, frame) : await wholeResponse(answers, choice, frame)
}

type Frame = Readonly<Record<string, unknown>>

/** What every stage of a response says of its request. */
const responseFrame = (request: ResponseRequest, model: string): Frame => ({
  id: newId('resp_'),
  object: 'response',
  created_at: unixSeconds(),
  model,
  error: null,
  incomplete_details: null,
  background: false,
  instructions: request.instructions ?? null,
  max_output_tokens: request.max_output_tokens ?? null,
  metadata: request.metadata ?? {},
  parallel_tool_calls: request.parallel_tool_calls ?? true,
  previous_response_id: null,
  reasoning: { effort: null, summary: null },
  store: false,
  temperature: request.temperature ?? 1,
  text: { format: request.text?.format ?? { type: 'text' } },
  tool_choice: request.tool_choice ?? 'auto',
  tools: request.tools ?? [],
  top_logprobs: request.top_logprobs ?? 0,
  top_p: request.top_p ?? 1,
  truncation: request.truncation ?? 'disabled',
  user: request.user ?? null,
})

const usage = (result: GenerationResult) => {
  const { prompt_tokens, completion_tokens, total_tokens, prompt_tokens_details } = usageOf(result.promptTokens, [
    result,
  ])
  return {
    input_tokens: prompt_tokens,
    input_tokens_details: prompt_tokens_details,
    output_tokens: completion_tokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens,
  }
}

/** Runs the answer; the events of its items go to `emit`. */
const runResponse = async (
  answers: Answers,
  choice: ChatChoice,
  frame: Frame,
  emit: (events: readonly OutputEvent[]) => Promise<void> | undefined,
): Promise<Frame> => {
  const output = createResponseOutput()
  let cutOff = false
  const [result] = await answers.run(
    (_, event) => {
      const delta = choice.push(event)
      return delta && emit(output.push(delta))
    },
    async (_, ended) => {
      const { delta, finish } = choice.end(ended)
      cutOff = finish === 'length'
      if (delta) await emit(output.push(delta))
      await emit(output.end(!cutOff))
    },
  )
  return {
    ...frame,
    status: cutOff ? 'incomplete' : 'completed',
    incomplete_details: cutOff ? { reason: 'max_output_tokens' } : null,
    output: output.items,
    usage: usage(result as GenerationResult),
  }
}

const wholeResponse = async (answers: Answers, choice: ChatChoice, frame: Frame): Promise<Response> =>
  jsonResponse(await runResponse(answers, choice, frame, () => undefined))

const streamResponse = (exchange: Exchange, answers: Answers, choice: ChatChoice, frame: Frame): Response => {
  let number = 0
  const numbered = (event: OutputEvent): [data: string, event: string] => [
    JSON.stringify({ ...event, sequence_number: number++ }),
    event.type,
  ]
  return streamAnswer(
    exchange,
    async (sink) => {
      const begun = { ...frame, status: 'in_progress', output: [], usage: null }
      await sink.send(...numbered({ type: 'response.created', response: begun }))
      await sink.send(...numbered({ type: 'response.in_progress', response: begun }))
      const response = await runResponse(answers, choice, frame, async (events) => {
        for (const event of events) await sink.send(...numbered(event))
      })
      await sink.send(...numbered({ type: `response.${String(response.status)}`, response }))
    },
    async (sink, { error: { message, code, param } }) => {
      const error = { code: 'server_error', message }
      const response = { ...frame, status: 'failed', error, output: [], usage: null }
      await sink.send(...numbered({ type: 'response.failed', response }))
      await sink.send(...numbered({ type: 'error', code, message, param }))
    },
  )
}
