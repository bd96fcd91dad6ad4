import type { GenerationResult } from '../generation.ts'
import type { LanguageModel } from '../language-model.ts'
import { type Answers, startAnswers, usageOf } from './answers.ts'
import { badParameter } from './api-error.ts'
import { finishReasonOf } from './chat-route.ts'
import { type CompletionRequest, completionRequest } from './completion-schema.ts'
import { type Exchange, jsonResponse, readBody, useModel } from './exchange.ts'
import { newId, unixSeconds } from './ids.ts'
import { promptTokens } from './prompt.ts'
import { samplingOptions } from './sampling-parameters.ts'
import { streamAnswer } from './stream-answer.ts'

type Prompt = string | readonly number[]

/** The prompts of a request; none is the empty one, before which nothing was written. */
const promptsOf = ({ prompt }: CompletionRequest): Prompt[] => {
  if (prompt === null || prompt === undefined) return ['']
  if (typeof prompt === 'string') return [prompt]
  return typeof prompt[0] === 'number' ? [prompt as number[]] : (prompt as Prompt[])
}

const checkRequest = (request: CompletionRequest, choices: number, maxChoices: number): void => {
  if (request.stream_options && !request.stream) {
    throw badParameter('stream_options', "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
  }
  if (request.suffix)
    throw badParameter('suffix', 'Texts between a prompt and a suffix are not supported.', 'unsupported_parameter')
  if ((request.best_of ?? 1) > (request.n ?? 1)) {
    throw badParameter(
      'best_of',
      "'best_of' above 'n' is not supported: ask for more answers with 'n'.",
      'unsupported_value',
    )
  }
  if (request.max_tokens === 0) {
    throw badParameter(
      'max_tokens',
      "Invalid 'max_tokens': integer below minimum value. Expected a value >= 1, but got 0 instead.",
      'integer_below_minimum_value',
    )
  }
  if (choices > maxChoices) {
    throw badParameter(
      'n',
      `This server gives up to ${maxChoices} answers to a request; 'n' times the prompts are ${choices}.`,
    )
  }
}

/** `POST /v1/completions`. */
export const createCompletion = async (exchange: Exchange): Promise<Response> => {
  const { settings, scope } = exchange
  const request = await readBody(exchange, completionRequest)
  const prompts = promptsOf(request)
  const n = request.n ?? 1
  checkRequest(request, prompts.length * n, settings.limits.maxChoices)
  const model: LanguageModel = await useModel(exchange, request.model)
  const tokens = prompts.map((prompt) => promptTokens(model, prompt))
  const counted = tokens.reduce((sum, { length }) => sum + length, 0)
  scope.record.promptTokens = counted
  const maxNewTokens = Math.min(request.max_tokens ?? 16, settings.limits.maxTokens)
  const answers = startAnswers(
    exchange,
    model,
    tokens.flatMap((ids) =>
      Array.from({ length: n }, (_, index) => ({
        ids,
        continuation: true,
        options: { ...samplingOptions(request, index), maxNewTokens },
      })),
    ),
  )
  const echoes = request.echo
    ? prompts.map((prompt) => (typeof prompt === 'string' ? prompt : model.tokenizer.decode(prompt)))
    : undefined
  const echoOf = (index: number): string => echoes?.[Math.floor(index / n)] ?? ''
  const common = {
    id: newId('cmpl-'),
    object: 'text_completion',
    created: unixSeconds(),
    model: scope.record.model as string,
  }
  const choice = (index: number, text: string, finish_reason: string | null) => ({
    index,
    text,
    logprobs: null,
    finish_reason,
  })
  if (request.stream) return streamCompletion(exchange, request, answers, counted, { common, choice, echoOf })
  const results = await answers.run(() => undefined)
  const choices = results.map(({ text, finishReason }, index) =>
    choice(index, echoOf(index) + text, finishReasonOf(finishReason)),
  )
  return jsonResponse({ ...common, choices, usage: usageOf(counted, results) })
}

interface Writing {
  readonly common: object
  readonly choice: (index: number, text: string, finish_reason: string | null) => object
  readonly echoOf: (index: number) => string
}

const streamCompletion = (
  exchange: Exchange,
  request: CompletionRequest,
  answers: Answers,
  counted: number,
  { common, choice, echoOf }: Writing,
): Response =>
  streamAnswer(exchange, async (sink) => {
    const withUsage = request.stream_options?.include_usage === true
    const chunk = (choices: readonly object[], usage: unknown = null): string =>
      JSON.stringify({ ...common, choices, ...(withUsage ? { usage } : {}) })
    for (const index of answers.generations.keys()) {
      if (echoOf(index) !== '') await sink.send(chunk([choice(index, echoOf(index), null)]))
    }
    const results: readonly GenerationResult[] = await answers.run(
      (index, { text }) => (text === '' ? undefined : sink.send(chunk([choice(index, text, null)]))),
      (index, { finishReason }) => sink.send(chunk([choice(index, '', finishReasonOf(finishReason))])),
    )
    if (withUsage) await sink.send(chunk([], usageOf(counted, results)))
    await sink.send('[DONE]')
  })
