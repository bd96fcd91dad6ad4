import { AwqError, type Folder } from '@awq/tensor'
import { cachedFolder, type FileHashes, type UrlFolderOptions, urlFolder } from '@awq/tensor/browser'
import type { LanguageModel } from './language-model.ts'
import { loadModel as loadFolder } from './load-model.ts'
import type { LoadOptions } from './load-options.ts'

export type { LanguageModel } from './language-model.ts'
export type { LoadEvent, LoadOptions } from './load-options.ts'

/** `LoadOptions`, and how a model behind a URL is fetched. */
export interface BrowserLoadOptions extends LoadOptions, Pick<UrlFolderOptions, 'fetch' | 'headers' | 'files'> {
  /**
   * Whether a copy of a model behind a URL is kept in the browser's private storage, by which name (by default the URL). Default
   * true; without such storage (a page that is not https) the model is fetched each time.
   */
  readonly cache?: boolean | string | undefined
  /** SHA-256 of the model's files, by name, which the copy must have; a quantized model states its own. */
  readonly hashes?: FileHashes | undefined
}

/** The part of WebGPU that is asked here. */
interface Gpu {
  requestAdapter(): Promise<{ readonly info?: { readonly isFallbackAdapter?: boolean } } | null>
}

/** `webgpu` where the browser has an adapter that is no software, else `cpu` (WebAssembly). */
export const preferredDevice = async (): Promise<'webgpu' | 'cpu'> => {
  const { gpu } = (globalThis.navigator ?? {}) as { readonly gpu?: Gpu }
  const adapter = await gpu?.requestAdapter().catch(() => null)
  return adapter && adapter.info?.isFallbackAdapter !== true ? 'webgpu' : 'cpu'
}

/** The folder behind a URL, with a copy where one is wanted and possible. */
const folderOf = async (url: string | URL, options: BrowserLoadOptions): Promise<Folder> => {
  const { cache = true, hashes, fetch, headers, files, signal } = options
  const remote = urlFolder(url, { fetch, headers, files, signal })
  if (cache === false || (cache === true && !globalThis.navigator?.storage?.getDirectory)) return remote
  return cachedFolder(remote, { name: cache === true ? remote.name : cache, hashes })
}

/**
 * Loads a model in a browser: from the URL of its folder, of which a copy is kept, or from a folder (`directoryFolder`,
 * `filesFolder` of @awq/tensor/browser). On WebGPU where there is a GPU for it (`preferredDevice`), else, and with a warning
 * where WebGPU can not do it, on the CPU; a `device` that is named is used or refused. Weights are fetched last, with
 * `download` events, when everything else is known to be right.
 * @throws AwqError as `loadModel` of @awq/runtime, and as `urlFolder` and `cachedFolder` of @awq/tensor/browser
 */
export const loadModel = async (
  reference: string | URL | Folder,
  options: BrowserLoadOptions = {},
): Promise<LanguageModel> => {
  const isUrl = typeof reference === 'string' || reference instanceof URL
  const folder = isUrl ? await folderOf(reference, options) : reference
  if (options.device !== undefined || typeof options.engine === 'object') return loadFolder(folder, options)
  const device = await preferredDevice()
  try {
    return await loadFolder(folder, { ...options, device })
  } catch (error) {
    if (device === 'cpu' || !AwqError.is(error) || error.code !== 'UNSUPPORTED') throw error
    const { onWarning = (message: string) => console.warn(message) } = options
    onWarning(`${error.message} The model is loaded on the CPU instead.`)
    return loadFolder(folder, { ...options, device: 'cpu' })
  }
}
