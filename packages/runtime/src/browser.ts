import type { Folder } from '@awq/tensor'
import { type ModelFolderOptions, modelFolder } from '@awq/tensor/browser'
import { DeviceLacks } from './device-limits.ts'
import type { LanguageModel } from './language-model.ts'
import { loadModel as loadFolder } from './load-model.ts'
import type { LoadOptions } from './load-options.ts'
import { fetchImage } from './vision/fetch-image.ts'

export type { LanguageModel } from './language-model.ts'
export type { LoadEvent, LoadOptions } from './load-options.ts'

/** `LoadOptions`, and how a model behind a name or an address is fetched. */
export interface BrowserLoadOptions extends LoadOptions, ModelFolderOptions {}

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

/**
 * Loads a model in a browser: `ORG/NAME` of the hub or the address of a folder (`modelFolder`), of which a copy is kept, or a
 * folder (`directoryFolder`, `filesFolder` of @awq/tensor/browser). On WebGPU where there is a GPU for it (`preferredDevice`), else, and with a warning
 * where WebGPU can not do it, on the CPU; a `device` that is named is used or refused. Weights are fetched last, with
 * `download` events, when everything else is known to be right. Images may be given by addresses, which the page must be allowed to
 * fetch, relative ones too.
 * @throws AwqError as `loadModel` of @awq/runtime, and as `modelFolder` of @awq/tensor/browser
 */
export const loadModel = async (
  reference: string | URL | Folder,
  given: BrowserLoadOptions = {},
): Promise<LanguageModel> => {
  const named = typeof reference === 'string' || reference instanceof URL
  const loading = during(given.signal)
  try {
    const folder = named ? await modelFolder(reference, { ...given, signal: loading.signal }) : reference
    return await loadOnBest(folder, { readImage: fetchImage, fetchImage, ...given })
  } finally {
    loading.end()
  }
}

/** A signal that follows another one until the end is told: what is fetched later is not for that one to stop. */
const during = (followed: AbortSignal | undefined): { readonly signal: AbortSignal; end(): void } => {
  const controller = new AbortController()
  const follow = () => controller.abort(followed?.reason)
  if (followed?.aborted) follow()
  followed?.addEventListener('abort', follow, { once: true })
  return { signal: controller.signal, end: () => followed?.removeEventListener('abort', follow) }
}

/** Loads a model on the device that is named, else on the best that can. */
const loadOnBest = async (folder: Folder, options: LoadOptions): Promise<LanguageModel> => {
  if (options.device !== undefined || typeof options.engine === 'object') return loadFolder(folder, options)
  const device = await preferredDevice()
  try {
    return await loadFolder(folder, { ...options, device })
  } catch (error) {
    if (device === 'cpu' || !(error instanceof DeviceLacks)) throw error
    const { onWarning = (message: string) => console.warn(message) } = options
    onWarning(`${error.message} The model is loaded on the CPU instead.`)
    return loadFolder(folder, { ...options, device: 'cpu' })
  }
}
