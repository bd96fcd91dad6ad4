import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { datasetInfo, listFiles, modelInfo } from '@huggingface/hub'
import { AwqError, quoted } from '../error.ts'
import { checkFileName } from '../folder.ts'
import { isHubId } from '../hub-reference.ts'
import { cachedCommit, cachedRepository, fileSize, linkBlob, rememberCommit } from './hub-cache.ts'
import { downloadBlob } from './hub-download.ts'
import { hubError } from './hub-error.ts'
import type { HubFile, HubRepository } from './hub-repository.ts'
import { type HubOptions, type HubSettings, hubSettings } from './hub-settings.ts'

/** Chooses files of a repository. `readText` downloads a (small) file and gives its text. */
export type SelectFiles = (
  files: readonly string[],
  readText: (file: string) => Promise<string>,
) => readonly string[] | Promise<readonly string[]>

/** No answer within this time means no network, in milliseconds. */
const answerTime = 15_000

/**
 * Downloads the chosen files of a repository into the cache shared with Python's huggingface_hub, and gives the path
 * of the folder that holds them (the snapshot of one commit). Files that are there already are not fetched again.
 * Without a network the snapshot that the cache knows for the revision is taken, if `complete` accepts it.
 * Throws NOT_FOUND (no such repository or file, or not in the cache), NETWORK with what to do, IO, CONFIG.
 */
export async function downloadFromHub(
  repository: HubRepository,
  select: SelectFiles,
  options: HubOptions & { complete?: (folder: string) => Promise<boolean> } = {},
): Promise<string> {
  if (!isHubId(repository.name)) {
    throw new AwqError('INVALID_ARGUMENT', `${quoted(repository.name)} is not a hub id: ORG/NAME is wanted`)
  }
  const settings = withTimeout(hubSettings(options))
  const complete = options.complete ?? (async () => true)
  if (settings.offline) return fromCache(repository, settings, complete)
  settings.signal?.throwIfAborted()
  let listing: Listing
  try {
    listing = await listRepository(repository, settings)
  } catch (error) {
    settings.signal?.throwIfAborted()
    const failure = hubError(error, repository.name, settings)
    if (failure.code !== 'NETWORK') throw failure
    return await fromCache(repository, settings, complete).catch(() => {
      throw failure
    })
  }
  return download(repository, listing, select, settings)
}

interface Listing {
  readonly commit: string
  readonly files: ReadonlyMap<string, HubFile>
}

/** The commit of the revision, and its files. Everything the hub says is checked before it becomes a path. */
async function listRepository(repository: HubRepository, settings: HubSettings): Promise<Listing> {
  const { hubUrl, token, revision } = settings
  const access = { hubUrl, fetch: settings.fetch, ...(token === undefined ? {} : { accessToken: token }) }
  const question = { name: repository.name, revision, ...access, additionalFields: ['sha' as const] }
  const info = repository.type === 'model' ? await modelInfo(question) : await datasetInfo(question)
  const bad = (what: string) => new AwqError('NETWORK', `${repository.name}: ${hubUrl} gave ${what}; is it a hub?`)
  if (!/^[0-9a-f]{40}$/.test(String(info.sha))) throw bad('no commit')
  const files = new Map<string, HubFile>()
  const repo = { type: repository.type, name: repository.name }
  for await (const { type, path, size, oid, lfs } of listFiles({
    repo,
    revision: info.sha,
    recursive: true,
    ...access,
  })) {
    if (type !== 'file') continue
    const length = lfs?.size ?? size
    const hashes = /^[0-9a-f]{40}$/.test(String(oid)) && (lfs === undefined || /^[0-9a-f]{64}$/.test(lfs.oid))
    if (!hashes || !Number.isSafeInteger(length) || length < 0) throw bad(`a bad entry for ${quoted(path)}`)
    checkFileName(path, repository.name)
    files.set(path, { path, size: length, oid: String(oid), ...(lfs ? { sha256: lfs.oid } : {}) })
  }
  return { commit: info.sha, files }
}

async function download(
  repository: HubRepository,
  { commit, files }: Listing,
  select: SelectFiles,
  settings: HubSettings,
): Promise<string> {
  const cache = cachedRepository(settings.cacheDir, repository)
  const snapshot = cache.snapshot(commit)
  const fetchFile = async (path: string): Promise<string> => {
    settings.signal?.throwIfAborted()
    const file = files.get(path)
    if (file === undefined) throw new AwqError('NOT_FOUND', `${repository.name} has no file ${quoted(path)}`)
    const target = join(snapshot, path)
    if ((await fileSize(target)) === file.size) return target
    const blob = cache.blob(file.sha256 ?? file.oid)
    if ((await fileSize(blob)) !== file.size) await downloadBlob(repository, commit, file, blob, settings)
    await linkBlob(blob, target)
    return target
  }
  const chosen = await select([...files.keys()], async (path) => readFile(await fetchFile(path), 'utf8'))
  for (const path of chosen) await fetchFile(path)
  await rememberCommit(cache, settings.revision, commit)
  return snapshot
}

async function fromCache(
  repository: HubRepository,
  { cacheDir, revision }: HubSettings,
  complete: (folder: string) => Promise<boolean>,
): Promise<string> {
  const cache = cachedRepository(cacheDir, repository)
  const commit = await cachedCommit(cache, revision)
  const snapshot = commit === undefined ? undefined : cache.snapshot(commit)
  if (snapshot !== undefined && (await complete(snapshot))) return snapshot
  const problem = `revision ${revision} is not (wholly) in the cache ${cacheDir}`
  throw new AwqError('NOT_FOUND', `${repository.name}: ${problem}, and the hub may not be asked (offline)`)
}

/** fetch that is stopped by the caller's signal, and when no answer begins in time. */
function withTimeout(settings: HubSettings): HubSettings {
  const timed: typeof fetch = async (input, init) => {
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(new Error(`no answer in ${answerTime / 1000} s`)), answerTime)
    const signals = [late.signal, settings.signal, init?.signal].filter(
      (signal) => signal !== undefined && signal !== null,
    )
    try {
      return await settings.fetch(input, { ...init, signal: AbortSignal.any(signals) })
    } finally {
      clearTimeout(timer)
    }
  }
  return { ...settings, fetch: timed }
}
