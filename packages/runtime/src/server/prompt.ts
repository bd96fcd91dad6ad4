import { AwqError, messageOf } from '@awq/tensor'
import type { MessagesInput } from '../input-encoder.ts'
import type { LanguageModel } from '../language-model.ts'
import { PromptTooLong } from '../prompt-too-long.ts'
import { type ApiError, badParameter } from './api-error.ts'
import type { Scope } from './scope.ts'

/** The error of a prompt that is longer than the context. */
const contextExceeded = (contextLength: number, tokens: string, param: string): ApiError =>
  badParameter(
    param,
    `This model's maximum context length is ${contextLength} tokens. However, your ${param} resulted in ${tokens} tokens. ` +
      `Please reduce the length of the ${param}.`,
    'context_length_exceeded',
  )

/** What `prepare` refuses is about the request; anything else about the server. */
const refused = (error: unknown, contextLength: number, param: string): unknown => {
  if (error instanceof PromptTooLong)
    return contextExceeded(contextLength, `${error.counted ? '' : 'at least '}${error.tokens}`, param)
  if (!AwqError.is(error) || (error.code !== 'INVALID_ARGUMENT' && error.code !== 'UNSUPPORTED')) return error
  // The template's own words, without the name of the model's folder.
  if (error.code === 'INVALID_ARGUMENT' && error.cause !== undefined)
    return badParameter(param, `The chat template of this model refuses the ${param}: ${messageOf(error.cause)}`)
  return badParameter(param, error.message)
}

/** The tokens of a conversation; `param` is what the request calls its messages. */
export interface ChatPrompt extends MessagesInput {
  readonly param: string
}

/** What of a request's scope prompts are made with: images are kept to its end. */
type PromptScope = Pick<Scope, 'signal' | 'hold'>

/**
 * The tokens of a conversation, opened for the assistant's answer.
 * @throws ApiError 400 for a model without a chat template, a template that refuses the messages, too many tokens
 */
export const chatTokens = async (
  model: LanguageModel,
  { param, ...input }: ChatPrompt,
  { signal, hold }: PromptScope,
): Promise<number[]> => {
  const { tokenizer, contextLength } = model
  if (tokenizer.chatTemplate === undefined) {
    throw badParameter(
      'model',
      'This model has no chat template: it continues texts. Use /v1/completions with a prompt.',
      'unsupported_value',
    )
  }
  // Every message takes a token at least.
  if (input.messages.length > contextLength) throw contextExceeded(contextLength, `more than ${contextLength}`, param)
  try {
    const onHold = (release: () => void): void => hold({ [Symbol.dispose]: release })
    return await model.prepare(input, { most: contextLength, signal, onHold })
  } catch (error) {
    throw refused(error, contextLength, param)
  }
}

/**
 * The tokens of a text to continue, or those given.
 * @throws ApiError 400 for none or too many tokens, or ids outside the vocabulary
 */
export const promptTokens = async (
  model: LanguageModel,
  prompt: string | readonly number[],
  signal: AbortSignal,
): Promise<number[]> => {
  const { contextLength, description } = model
  const param = 'prompt'
  if (typeof prompt !== 'string') {
    const wrong = prompt.find((id) => id >= description.config.vocabSize)
    if (wrong !== undefined) {
      throw badParameter(
        param,
        `Token id ${wrong} is outside the vocabulary of ${description.config.vocabSize} tokens.`,
      )
    }
    if (prompt.length > contextLength) throw contextExceeded(contextLength, String(prompt.length), param)
    return prompt.slice()
  }
  try {
    const ids = await model.prepare({ prompt }, { most: contextLength, signal })
    if (ids.length === 0) throw badParameter(param, `The ${param} has no tokens.`)
    return ids
  } catch (error) {
    throw refused(error, contextLength, param)
  }
}
