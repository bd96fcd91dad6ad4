import { z } from 'zod'
import type { GenerateOptions } from '../generation-options.ts'
import { badParameter } from './api-error.ts'

/** A parameter that may be absent or null. */
export const maybe = <S extends z.ZodType>(schema: S) => schema.nullish()

const stop = z.union([z.string().min(1).max(1000), z.array(z.string().min(1).max(1000)).max(4)])

/** A seed as OpenAI has it: any integer of 64 bits, as far as JSON carries it. */
const seed = z.number().refine((value) => Number.isInteger(value) && Math.abs(value) <= 2 ** 63, 'expected an integer')

const tokenId = z.string().regex(/^\d{1,9}$/, 'expected the ids of tokens as keys')

/** What all ways to ask for text share. */
export const samplingShape = {
  temperature: maybe(z.number().min(0).max(2)).describe('0 takes the likeliest token; 1 by default'),
  top_p: maybe(z.number().min(0).max(1)).describe('The fewest tokens that hold this share of the probability'),
  top_k: maybe(z.number().int().min(-1)).describe('The k likeliest tokens; 0 and -1 are off. Not of OpenAI'),
  min_p: maybe(z.number().min(0).max(1)).describe('Drops tokens below this share of the likeliest. Not of OpenAI'),
  repetition_penalty: maybe(z.number().min(0.01).max(100)).describe('Of CTRL; 1 is off. Not of OpenAI'),
}

/** What `/v1/chat/completions` and `/v1/completions` share. */
export const completionShape = {
  ...samplingShape,
  frequency_penalty: maybe(z.number().min(-2).max(2)),
  presence_penalty: maybe(z.number().min(-2).max(2)),
  logit_bias: maybe(z.record(tokenId, z.number().min(-100).max(100))),
  n: maybe(z.number().int().min(1).max(128)).describe('Answers to give'),
  seed: maybe(seed),
  stop: maybe(stop).describe('Texts that end the answer and are not part of it, up to 4'),
  stream: maybe(z.boolean()),
  stream_options: maybe(z.object({ include_usage: maybe(z.boolean()), include_obfuscation: maybe(z.boolean()) })),
  user: maybe(z.string()),
}

type Sampling = { readonly [K in keyof typeof samplingShape]?: number | null | undefined } & {
  readonly frequency_penalty?: number | null | undefined
  readonly presence_penalty?: number | null | undefined
  readonly logit_bias?: Readonly<Record<string, number>> | null | undefined
  readonly seed?: number | null | undefined
  readonly stop?: string | readonly string[] | null | undefined
}

/** A seed that `generate` takes: integers past 2^53 and negative ones are folded into its range. */
const foldSeed = (value: number): number => {
  const range = 2 ** 53
  return Math.trunc(((value % range) + range) % range)
}

const present = <T>(value: T | null | undefined): T | undefined => value ?? undefined

/** @throws ApiError 400 for a bias of a token that the model does not have */
export const checkLogitBias = (biases: Sampling['logit_bias'], vocabulary: number): void => {
  const wrong = Object.keys(biases ?? {}).find((id) => Number(id) >= vocabulary)
  if (wrong === undefined) return
  throw badParameter(
    'logit_bias',
    `Invalid 'logit_bias': the model has ${vocabulary} tokens, and none with the id ${wrong}.`,
  )
}

/** The options of `generate` for what a request asks for; answer `index` of several gets a seed of its own. */
export const samplingOptions = (request: Sampling, index = 0): GenerateOptions => {
  const { stop, top_k, top_p } = request
  return {
    temperature: request.temperature ?? 1,
    // A share of nothing still keeps the likeliest token.
    topP: Math.max(top_p ?? 1, 1e-6),
    topK: Math.max(top_k ?? 0, 0),
    minP: present(request.min_p),
    repetitionPenalty: present(request.repetition_penalty),
    presencePenalty: present(request.presence_penalty),
    frequencyPenalty: present(request.frequency_penalty),
    logitBias: present(request.logit_bias),
    seed: request.seed === null || request.seed === undefined ? undefined : foldSeed(request.seed + index),
    stop: typeof stop === 'string' ? [stop] : (present(stop) ?? []),
  }
}
