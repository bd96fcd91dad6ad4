import { AwqError, quoted } from '../error.ts'
import type { Folder } from '../folder.ts'
import { checkHubUrl, checkRevision, checkToken, defaultHubUrl, hubReference } from '../hub-reference.ts'
import { ggufFiles, modelFiles } from '../model-files.ts'
import { authorization, listHubModel } from './hub-listing.ts'
import type { HashedFolder } from './manifest-hashes.ts'
import { urlFolder } from './url-folder.ts'

/** How a model of the hub is reached from a page. */
export interface HubFolderOptions {
  /** Branch, tag or commit; `main` by default. */
  readonly revision?: string | undefined
  /** Access token for private and gated repositories. Whoever can read the page can read it: ask the visitor for it. */
  readonly token?: string | undefined
  /** The address of the hub, or of a mirror; https://huggingface.co by default. */
  readonly hubUrl?: string | undefined
  readonly fetch?: typeof fetch | undefined
  readonly signal?: AbortSignal | undefined
}

/** A model of the hub as a page names it. */
export interface HubModel {
  readonly repository: string
  /** A GGUF file in it. */
  readonly file?: string
  /** Where its folder is on the hub, for this revision. */
  readonly url: string
}

/**
 * What a reference and its options say: `ORG/NAME`, `hf:ORG/NAME`, `ORG/NAME/FILE.gguf`; undefined for what is no id, which may be
 * an address.
 * @throws AwqError INVALID_ARGUMENT for a revision, and for `hf:` with something that is no id; CONFIG for an address or a token
 *   that can not be one
 */
export const hubModel = (reference: string, options: HubFolderOptions = {}): HubModel | undefined => {
  const explicit = reference.startsWith('hf:')
  const found = hubReference(explicit ? reference.slice(3) : reference)
  if (!found) {
    if (explicit) throw new AwqError('INVALID_ARGUMENT', `${quoted(reference)} is no hub id of the form hf:ORG/NAME`)
    return undefined
  }
  checkToken(options.token, "the option 'token'")
  const revision = checkRevision(options.revision ?? 'main')
  const hubUrl = checkHubUrl(options.hubUrl ?? defaultHubUrl, "the option 'hubUrl'")
  return { ...found, url: resolveUrl(hubUrl, found.repository, revision) }
}

const resolveUrl = (hubUrl: string, repository: string, revision: string): string =>
  `${hubUrl}/${repository}/resolve/${encodeURIComponent(revision)}/`

/**
 * A model of the hub: the files that it needs, of the commit that its revision is now, read by range requests. Weights come with
 * the hashes that the hub states.
 * @param reference as `hubModel` takes it
 * @throws AwqError NOT_FOUND (no such repository, revision or file, or a private one without `token`), NETWORK, INVALID_ARGUMENT
 *   for what is no id or for one of several GGUF files, CONFIG
 */
export const hubFolder = async (reference: string, options: HubFolderOptions = {}): Promise<HashedFolder> => {
  const model = hubModel(reference, options)
  if (!model) throw new AwqError('INVALID_ARGUMENT', `${quoted(reference)} is not a hub id of the form ORG/NAME`)
  const { repository, file } = model
  const { revision = 'main', token, signal, fetch: given } = options
  const hubUrl = checkHubUrl(options.hubUrl ?? defaultHubUrl, "the option 'hubUrl'")
  const ask: typeof fetch = given ?? ((input, init) => fetch(input, init))
  const access = { hubUrl, revision, token, tokenSource: "the option 'token'", fetch: ask, signal }
  const { commit, files, hashes } = await listHubModel(repository, access)
  const headers = authorization(access)
  const folderAt = (url: string, names: readonly string[]): Folder =>
    urlFolder(url, { files: names, headers, signal, ...(given ? { fetch: given } : {}) })
  const base = resolveUrl(hubUrl, repository, commit)
  const whole = folderAt(base, files)
  const wanted = file ? ggufFiles(file, files) : await modelFiles(files, (name) => whole.readText(name))
  const directory = file?.includes('/') ? file.slice(0, file.lastIndexOf('/') + 1) : ''
  const names = wanted.map((path) => path.slice(directory.length))
  const folder = folderAt(base + directory.split('/').map(encodeURIComponent).join('/'), names)
  return {
    ...folder,
    name: repository,
    origin: { repository, revision: commit },
    hashes: Object.fromEntries(
      wanted.flatMap((path, i) => (hashes[path] === undefined ? [] : [[names[i]!, hashes[path]]])),
    ),
  }
}
