/**
 * How probable the model itself holds tokens.
 * @module
 */
import { AwqError } from '@awq/tensor'
import { topIds } from './candidates.ts'
import { greedy } from './sampling.ts'

/** A token and the natural logarithm of its probability. */
export interface Logprob {
  readonly id: number
  readonly logprob: number
}

/** The log-probability of a chosen token, and the likeliest tokens in its place. */
export interface TokenLogprob extends Logprob {
  /** Likeliest first, ties by id; the chosen token is among them only where it is one of the likeliest. */
  readonly top: readonly Logprob[]
}

/** The most alternatives that may be asked for, as in OpenAI's API. */
export const mostLogprobs = 20

/**
 * Log-probabilities by the softmax of the logits as the model gave them: before temperature, penalties, biases,
 * constraints and the rest of sampling. `x - max - log(sum(exp(x - max)))`.
 * @param count alternatives that are listed
 * @throws AwqError NUMERIC for logits that are NaN or +Infinity, or all -Infinity
 */
export const tokenLogprob = (logits: Float32Array, id: number, count: number): TokenLogprob => {
  const largest = logits[greedy(logits)] as number
  let sum = 0
  for (let i = 0; i < logits.length; i++) sum += Math.exp((logits[i] as number) - largest)
  const norm = largest + Math.log(sum)
  const of = (token: number): Logprob => ({ id: token, logprob: (logits[token] as number) - norm })
  const top = count === 0 ? [] : Array.from(topIds(logits, count, refuse), of)
  return { ...of(id), top }
}

const refuse = (id: number, value: number): never => {
  throw new AwqError('NUMERIC', `The logit of token ${id} is ${value}.`)
}

/** @throws AwqError INVALID_ARGUMENT for a number of alternatives that is no integer from 0 to 20 */
export const checkLogprobs = (count: number | undefined): void => {
  if (count === undefined || (Number.isSafeInteger(count) && count >= 0 && count <= mostLogprobs)) return
  throw new AwqError('INVALID_ARGUMENT', `logprobs must be an integer from 0 to ${mostLogprobs}, not ${String(count)}.`)
}
