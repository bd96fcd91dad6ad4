import { describeModel, readModelConfig } from '@awq/models'
import type { Folder } from '@awq/tensor'
import { type BatchOptions, batchSettings, tokenBytes } from '../batch/batch-options.ts'
import { weightFileBytes } from './model-facts.ts'

/** What a model takes, known before it is loaded. */
export interface ModelNeeds {
  /** Tokens of prompt and answer together: as wished for, or as many as the model takes where these are fewer. */
  readonly contextLength: number
  /** The files of its weights. */
  readonly weightBytes: number
  /** Its caches at their largest, in float32. */
  readonly cacheBytes: number
}

/**
 * What a folder's model takes when it serves.
 * @throws AwqError as `readModelConfig`, `describeModel`; INVALID_ARGUMENT for options of a batch out of range
 */
export const modelNeeds = async (
  folder: Folder,
  options: { readonly contextLength?: number | undefined; readonly batch?: BatchOptions | undefined } = {},
): Promise<ModelNeeds> => {
  const description = describeModel((await readModelConfig(folder)).json)
  const most = description.config.contextLength
  const contextLength = Math.min(options.contextLength ?? most, most)
  const bytes = tokenBytes(description, 'float32')
  const { cacheTokens } = batchSettings(options.batch ?? {}, contextLength, bytes)
  return { contextLength, weightBytes: await weightFileBytes(folder), cacheBytes: cacheTokens * bytes }
}
