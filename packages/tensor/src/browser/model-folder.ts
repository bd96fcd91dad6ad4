import { AwqError } from '../error.ts'
import type { Folder } from '../folder.ts'
import { cachedFolder } from './cached-folder.ts'
import { type HubFolderOptions, hubFolder, hubModel } from './hub-folder.ts'
import type { FileHashes } from './manifest-hashes.ts'
import { type UrlFolderOptions, urlFolder } from './url-folder.ts'

/** How a model behind a name or an address is fetched, and whether a copy of it is kept. */
export interface ModelFolderOptions
  extends HubFolderOptions,
    Pick<UrlFolderOptions, 'fetch' | 'headers' | 'files' | 'signal'> {
  /**
   * Whether a copy is kept in the browser's private storage, by which name (by default the address). Default true; without such
   * storage (a page that is not https) the model is fetched each time.
   */
  readonly cache?: boolean | string | undefined
  /** SHA-256 of the model's files, by name, which the copy must have; a quantized model states its own, and so does the hub. */
  readonly hashes?: FileHashes | undefined
}

/** The folder of the hub; where it has none of that name, the error says how a folder beside the page is written. */
const ofHub = async (reference: string, options: HubFolderOptions) => {
  try {
    return await hubFolder(reference, options)
  } catch (error) {
    if (!AwqError.is(error) || error.code !== 'NOT_FOUND' || reference.startsWith('hf:')) throw error
    const message = `${error.message} (a folder beside this page is written './${reference}')`
    throw new AwqError(error.code, message, { cause: error })
  }
}

/**
 * The folder of a model that is named: `ORG/NAME` of the hub (also `hf:ORG/NAME`, or `ORG/NAME/FILE.gguf`), else the address of a
 * folder, relative to the page (`./models/mine`, `/models/mine`, `https://host/mine`). With a copy that later visits use, where
 * one is wanted and possible. A model of the hub stays at the commit that the copy was begun with.
 * @throws AwqError as `hubFolder`, `urlFolder` and `cachedFolder`, partly not before the first use
 */
export const modelFolder = async (reference: string | URL, options: ModelFolderOptions = {}): Promise<Folder> => {
  const { cache = true, hashes, headers, files } = options
  const hub = typeof reference === 'string' ? hubModel(reference, options) : undefined
  const kept = cache !== false && (cache !== true || globalThis.navigator?.storage?.getDirectory !== undefined)
  if (hub) {
    const name = typeof cache === 'string' ? cache : `${hub.url}${hub.file ?? ''}`
    return kept
      ? cachedFolder(
          (begun) => ofHub(String(reference), { ...options, revision: begun?.revision ?? options.revision }),
          {
            name,
            hashes,
          },
        )
      : ofHub(String(reference), options)
  }
  const remote = urlFolder(reference, { fetch: options.fetch, headers, files, signal: options.signal })
  return kept ? cachedFolder(remote, { name: typeof cache === 'string' ? cache : remote.name, hashes }) : remote
}
