import type { ActivationType, ModelDescription } from '@awq/models'
import { AwqError } from '@awq/tensor'

/** How a model serves many generations at once. */
export interface BatchOptions {
  /** Generations that run at a time; an integer from 1 to 256, 16 by default. More wait in a queue. */
  readonly maxBatch?: number | undefined
  /**
   * Tokens that the caches of all running generations have room for together. By default as many as fit `cacheBytes`, at least
   * one context and at most `maxBatch` of them. A context is never longer than this.
   */
  readonly cacheTokens?: number | undefined
  /** Bytes of these caches, where `cacheTokens` says nothing; 1 GiB by default. */
  readonly cacheBytes?: number | undefined
  /** Generations that may wait; an integer from 0 on, 256 by default. One more is refused with the error BUSY. */
  readonly maxQueue?: number | undefined
}

/** `BatchOptions` with every value present and checked. */
export interface BatchSettings {
  readonly maxBatch: number
  readonly cacheTokens: number
  readonly maxQueue: number
  /** Tokens of one generation, prompt included. */
  readonly contextLength: number
}

/** Bytes of the caches by default. */
const defaultBytes = 2 ** 30

const checked = (name: string, value: number, least: number, most: number): number => {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value
  throw new AwqError(
    'INVALID_ARGUMENT',
    `batch.${name} must be an integer from ${least} to ${most}, not ${String(value)}.`,
  )
}

/** Bytes of one token's keys and values, all layers together. */
export const tokenBytes = ({ blocks }: ModelDescription, dtype: ActivationType): number => {
  const width = blocks.reduce(
    (sum, { attention: { kvHeads, headDim, valueDim = headDim } }) => sum + kvHeads * (headDim + valueDim),
    0,
  )
  return Math.max(1, width * (dtype === 'float16' ? 2 : 4))
}

/**
 * Fills in the defaults and checks the values.
 * @param contextLength of a generation without a batch
 * @param bytes of one token, see `tokenBytes`
 * @throws AwqError INVALID_ARGUMENT naming the option, its value and what is allowed
 */
export const batchSettings = (options: BatchOptions, contextLength: number, bytes: number): BatchSettings => {
  const maxBatch = checked('maxBatch', options.maxBatch ?? 16, 1, 256)
  const most = maxBatch * contextLength
  const cacheBytes = checked('cacheBytes', options.cacheBytes ?? defaultBytes, 0, Number.MAX_SAFE_INTEGER)
  const affordable = Math.max(contextLength, Math.floor(cacheBytes / bytes))
  const cacheTokens = Math.min(most, checked('cacheTokens', options.cacheTokens ?? affordable, 1, 2 ** 40))
  return {
    maxBatch,
    cacheTokens,
    maxQueue: checked('maxQueue', options.maxQueue ?? 256, 0, 2 ** 20),
    contextLength: Math.min(contextLength, cacheTokens),
  }
}
