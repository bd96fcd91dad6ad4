import { AwqError, messageOf } from '@awq/tensor'
import type { ChatMessage, Tokenizer } from '@awq/text'
import type { LanguageModel } from '../language-model.ts'
import { ApiError, badParameter } from './api-error.ts'
import { encodeInPieces } from './encode-in-pieces.ts'

/** The error of a prompt that is longer than the context. */
export const contextExceeded = (contextLength: number, tokens: number | string, param: string): ApiError =>
  new ApiError(
    400,
    `This model's maximum context length is ${contextLength} tokens. However, your ${param} resulted in ${tokens} tokens. ` +
      `Please reduce the length of the ${param}.`,
    { param, code: 'context_length_exceeded' },
  )

const checkLength = (ids: number[], contextLength: number, param: string): number[] => {
  if (ids.length > contextLength) throw contextExceeded(contextLength, ids.length, param)
  return ids
}

/** A conversation to answer. */
export interface ChatPrompt {
  readonly messages: readonly ChatMessage[]
  readonly tools?: readonly unknown[] | undefined
  /** What the request calls the messages. */
  readonly param?: string
}

/**
 * The tokens of a conversation, opened for the assistant's answer.
 * @throws ApiError 400 for a model without a chat template, a template that refuses the messages, too many tokens
 */
export const chatTokens = async (
  { tokenizer, contextLength }: LanguageModel,
  { messages, tools, param = 'messages' }: ChatPrompt,
  signal: AbortSignal,
): Promise<number[]> => {
  if (tokenizer.chatTemplate === undefined) {
    throw badParameter(
      'model',
      'This model has no chat template: it continues texts. Use /v1/completions with a prompt.',
      'unsupported_value',
    )
  }
  // Every message takes a token at least.
  if (messages.length > contextLength) throw contextExceeded(contextLength, `more than ${contextLength}`, param)
  let text: string
  try {
    text = tokenizer.applyChatTemplate(messages, { addGenerationPrompt: true, tools })
  } catch (error) {
    // The template's own words, without the name of the model's folder.
    const cause = AwqError.is(error) ? error.cause : undefined
    if (!AwqError.is(error) || error.code !== 'INVALID_ARGUMENT' || cause === undefined) throw error
    throw badParameter(param, `The chat template of this model refuses the ${param}: ${messageOf(cause)}`)
  }
  return textTokens(tokenizer, text, { contextLength, param, signal })
}

/** The tokens of a text without special ones. @throws ApiError 400 for too many */
const textTokens = async (
  tokenizer: Tokenizer,
  text: string,
  { contextLength, param, signal }: { contextLength: number; param: string; signal: AbortSignal },
): Promise<number[]> => {
  const ids = await encodeInPieces(tokenizer, text, contextLength, signal)
  if (!('atLeast' in ids)) return ids
  throw contextExceeded(contextLength, text.length > ids.atLeast ? `at least ${ids.atLeast}` : ids.atLeast, param)
}

/** What a tokenizer puts around a text. */
const surroundings = (tokenizer: Tokenizer): { readonly before: number[]; readonly behind: number[] } => {
  const bare = tokenizer.encode('x')
  const whole = tokenizer.encode('x', { addSpecialTokens: true })
  const at = whole.findIndex((_, start) => bare.every((id, i) => whole[start + i] === id))
  return at < 0 ? { before: [], behind: [] } : { before: whole.slice(0, at), behind: whole.slice(at + bare.length) }
}

/**
 * The tokens of a text to continue, or those given.
 * @throws ApiError 400 for too many tokens, or ids outside the vocabulary
 */
export const promptTokens = async (
  model: LanguageModel,
  prompt: string | readonly number[],
  signal: AbortSignal,
  param = 'prompt',
): Promise<number[]> => {
  const { contextLength, description, tokenizer } = model
  if (typeof prompt === 'string') {
    const { before, behind } = surroundings(tokenizer)
    const own = await textTokens(tokenizer, prompt, { contextLength, param, signal })
    // An empty text is the beginning of any.
    const ids = prompt === '' ? model.encode({ prompt }) : [...before, ...own, ...behind]
    if (ids.length === 0) throw badParameter(param, `The ${param} has no tokens.`)
    return checkLength(ids, contextLength, param)
  }
  if (prompt.length === 0) throw badParameter(param, `The ${param} has no tokens.`)
  const wrong = prompt.find((id) => id >= description.config.vocabSize)
  if (wrong !== undefined) {
    throw badParameter(param, `Token id ${wrong} is outside the vocabulary of ${description.config.vocabSize} tokens.`)
  }
  return checkLength(prompt.slice(), contextLength, param)
}
