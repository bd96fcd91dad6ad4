import type { Folder } from '@awq/tensor'
import { resolveModel } from '@awq/tensor/node'
import { type LanguageModel, type LoadOptions, loadModel as loadFolder } from './language-model.ts'

/** `LoadOptions`, and how a reference to a model is resolved. */
export interface NodeLoadOptions extends LoadOptions {
  /** Branch, tag or commit of a hub model. */
  readonly revision?: string
  readonly cacheDir?: string
  readonly token?: string
  /** Never ask the network. */
  readonly localFilesOnly?: boolean
  readonly hubUrl?: string
}

/**
 * Loads a model from a local folder's path, a hub id (`ORG/NAME`, kept in the cache that Python shares), or an open
 * folder.
 * @throws AwqError as `resolveModel` of @awq/tensor/node and `loadModel` of @awq/runtime
 */
export const loadModel = async (reference: string | Folder, options: NodeLoadOptions = {}): Promise<LanguageModel> => {
  if (typeof reference !== 'string') return loadFolder(reference, options)
  const { revision, cacheDir, token, localFilesOnly, hubUrl, signal, onProgress } = options
  const folder = await resolveModel(reference, {
    ...(revision === undefined ? {} : { revision }),
    ...(cacheDir === undefined ? {} : { cacheDir }),
    ...(token === undefined ? {} : { token }),
    ...(localFilesOnly === undefined ? {} : { localFilesOnly }),
    ...(hubUrl === undefined ? {} : { hubUrl }),
    ...(signal ? { signal } : {}),
    ...(onProgress ? { onProgress: (event) => onProgress({ stage: 'download', ...event }) } : {}),
  })
  return loadFolder(folder, options)
}
