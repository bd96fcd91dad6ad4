import type { GenerationEvent, GenerationResult } from '../generation.ts'
import type { LanguageModel } from '../language-model.ts'
import { type Answers, startAnswers, usageOf } from './answers.ts'
import { badParameter } from './api-error.ts'
import { finishReasonOf } from './chat-choice.ts'
import { type CompletionRequest, completionRequest } from './completion-schema.ts'
import { type Exchange, jsonResponse, readBody, useModel } from './exchange.ts'
import { newId, unixSeconds } from './ids.ts'
import { type CompletionLogprobs, completionLogprobs, joinLogprobs } from './logprobs.ts'
import { promptTokens } from './prompt.ts'
import { checkLogitBias, samplingOptions } from './sampling-parameters.ts'
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
  if (request.echo && typeof request.logprobs === 'number') {
    throw badParameter('logprobs', "'logprobs' of a prompt that 'echo' repeats are not supported.", 'unsupported_value')
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
  checkLogitBias(request.logit_bias, model.description.config.vocabSize)
  const tokens: number[][] = []
  for (const prompt of prompts) tokens.push(await promptTokens(model, prompt, scope.signal))
  const counted = tokens.reduce((sum, { length }) => sum + length, 0)
  scope.record.promptTokens = counted
  const logprobs = request.logprobs ?? undefined
  const maxNewTokens = Math.min(request.max_tokens ?? 16, settings.limits.maxTokens)
  const answers = startAnswers(
    exchange,
    model,
    tokens.flatMap((ids) =>
      Array.from({ length: n }, (_, index) => ({
        ids,
        continuation: true,
        options: { ...samplingOptions(request, index), maxNewTokens, logprobs },
      })),
    ),
  )
  const texts = prompts.map((prompt) => (typeof prompt === 'string' ? prompt : model.tokenizer.decode(prompt)))
  const eosIds = new Set(model.tokenizer.eosIds)
  const writing: Writing = {
    answers,
    common: {
      id: newId('cmpl-'),
      object: 'text_completion',
      created: unixSeconds(),
      model: scope.record.model as string,
    },
    echoes: answers.generations.map((_, index) => (request.echo ? (texts[Math.floor(index / n)] ?? '') : '')),
    logprobs: answers.generations.map((_, index) => {
      if (logprobs === undefined) return () => undefined
      const write = completionLogprobs(model.tokenizer, logprobs, texts[Math.floor(index / n)]?.length ?? 0)
      return (event) => (eosIds.has(event.id) ? undefined : write(event))
    }),
    usage: (results) => usageOf(counted, results),
  }
  return request.stream
    ? streamCompletion(exchange, writing, request.stream_options?.include_usage === true)
    : await wholeCompletion(writing, logprobs !== undefined)
}

/** What the two ways of answering share; the lists have one entry per answer. */
interface Writing {
  readonly answers: Answers
  readonly common: object
  readonly echoes: readonly string[]
  readonly logprobs: readonly ((event: GenerationEvent) => CompletionLogprobs | undefined)[]
  readonly usage: (results: readonly GenerationResult[]) => object
}

const choiceOf = (index: number, text: string, logprobs: CompletionLogprobs | null, finish_reason: string | null) => ({
  index,
  text,
  logprobs,
  finish_reason,
})

const wholeCompletion = async (writing: Writing, logprobsWanted: boolean): Promise<Response> => {
  const { answers, common, echoes, usage } = writing
  const parts: CompletionLogprobs[][] = echoes.map(() => [])
  const results = await answers.run((index, event) => {
    const logprobs = writing.logprobs[index]?.(event)
    if (logprobs) parts[index]?.push(logprobs)
    return undefined
  })
  const choices = results.map(({ text, finishReason }, index) =>
    choiceOf(
      index,
      (echoes[index] ?? '') + text,
      logprobsWanted ? joinLogprobs(parts[index] ?? []) : null,
      finishReasonOf(finishReason),
    ),
  )
  return jsonResponse({ ...common, choices, usage: usage(results) })
}

const streamCompletion = (exchange: Exchange, writing: Writing, usageWanted: boolean): Response =>
  streamAnswer(exchange, async (sink) => {
    const { answers, common, echoes, logprobs } = writing
    const chunk = (choices: readonly object[], usage: unknown = null): string =>
      JSON.stringify({ ...common, choices, ...(usageWanted ? { usage } : {}) })
    for (const [index, echo] of echoes.entries()) {
      if (echo !== '') await sink.send(chunk([choiceOf(index, echo, null, null)]))
    }
    const results = await answers.run(
      (index, event) => {
        const logprob = logprobs[index]?.(event)
        if (event.text === '' && !logprob) return undefined
        return sink.send(chunk([choiceOf(index, event.text, logprob ?? null, null)]))
      },
      (index, { finishReason }) => sink.send(chunk([choiceOf(index, '', null, finishReasonOf(finishReason))])),
    )
    if (usageWanted) await sink.send(chunk([], writing.usage(results)))
    await sink.send('[DONE]')
  })
