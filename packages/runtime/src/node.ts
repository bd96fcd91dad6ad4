import { fileURLToPath } from 'node:url'
import { readImage } from '@awq/image/node'
import type { Folder } from '@awq/tensor'
import { resolveModel } from '@awq/tensor/node'
import type { LanguageModel } from './language-model.ts'
import { loadModel as loadFolder } from './load-model.ts'
import type { LoadOptions } from './load-options.ts'

/** `LoadOptions`, and how a reference to a model is resolved. */
export interface NodeLoadOptions extends LoadOptions {
  /** Branch, tag or commit of a hub model. */
  readonly revision?: string | undefined
  readonly cacheDir?: string | undefined
  readonly token?: string | undefined
  /** Never ask the network. */
  readonly localFilesOnly?: boolean | undefined
  readonly hubUrl?: string | undefined
}

/** Files by their paths or their `file:` addresses. */
const readsFiles: Pick<LoadOptions, 'readImage'> = {
  readImage: (name, { signal }) => readImage(/^file:/i.test(name) ? fileURLToPath(name) : name, { signal }),
}

/**
 * Loads a model from a local folder's path, a hub id (`ORG/NAME`, kept in the cache that Python shares), or an open
 * folder.
 * @throws AwqError as `resolveModel` of @awq/tensor/node and `loadModel` of @awq/runtime
 */
export const loadModel = async (reference: string | Folder, options: NodeLoadOptions = {}): Promise<LanguageModel> => {
  if (typeof reference !== 'string') return loadFolder(reference, { ...readsFiles, ...options })
  const { revision, cacheDir, token, localFilesOnly, hubUrl, signal, onProgress } = options
  const folder = await resolveModel(reference, {
    revision,
    cacheDir,
    token,
    localFilesOnly,
    hubUrl,
    signal,
    onProgress: onProgress && ((event) => onProgress({ stage: 'download', ...event })),
  })
  return loadFolder(folder, { ...readsFiles, ...options })
}
