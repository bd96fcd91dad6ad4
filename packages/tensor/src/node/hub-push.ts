import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type CommitProgressEvent, commitIter, createRepo, HubApiError } from '@huggingface/hub'
import { AwqError, quoted } from '../error.ts'
import { isHubId } from '../hub-reference.ts'
import { fileError } from './file-error.ts'
import { hubError } from './hub-error.ts'
import { type HubOptions, type HubSettings, hubSettings } from './hub-settings.ts'

/** How to push. The revision is the branch that is written, `main` by default. */
export interface PushOptions extends Omit<HubOptions, 'cacheDir' | 'localFilesOnly'> {
  /** Make the repository a private one when it has to be made; by default as the account has it. */
  readonly private?: boolean | undefined
  /** What may not be as it was meant, one line each. */
  readonly onWarning?: ((message: string) => void) | undefined
  /** What the commit is called. */
  readonly message?: string | undefined
}

/** What was pushed. */
export interface Pushed {
  /** Where it can be seen. */
  readonly url: string
  /** Of the commit. */
  readonly revision: string
  readonly files: readonly string[]
  readonly bytes: number
}

interface LocalFile {
  /** Within the folder, with slashes. */
  readonly path: string
  readonly size: number
}

/** The files of a folder and of the folders in it, but for hidden ones; links count as what they lead to. */
async function filesOf(root: string, within = ''): Promise<LocalFile[]> {
  const files: LocalFile[] = []
  for (const name of (await readdir(join(root, within))).sort()) {
    if (name.startsWith('.')) continue
    const path = within === '' ? name : `${within}/${name}`
    const found = await stat(join(root, path))
    if (found.isDirectory()) files.push(...(await filesOf(root, path)))
    else if (found.isFile()) files.push({ path, size: found.size })
  }
  return files
}

/** What the hub says of writing, in our words: reading has others. */
function pushError(error: unknown, name: string, settings: HubSettings): AwqError {
  const { hubUrl, revision } = settings
  const status = error instanceof HubApiError ? error.statusCode : undefined
  const options = { cause: error }
  if (status === 401)
    return new AwqError('NETWORK', `${name}: ${hubUrl} does not accept the access token (HF_TOKEN)`, options)
  if (status === 403) {
    const needed = `the access token (HF_TOKEN) must belong to an account that may, and have the right "write"`
    return new AwqError('NETWORK', `${name}: ${hubUrl} does not let this account write there; ${needed}`, options)
  }
  if (status === 409 || status === 412)
    return new AwqError(
      'NETWORK',
      `${name}: branch ${revision} was changed by somebody else meanwhile; push again`,
      options,
    )
  if (status === 413 || status === 507)
    return new AwqError('NETWORK', `${name}: ${hubUrl} has no room for files of this size (${status})`, options)
  return hubError(error, name, settings)
}

/** Makes the repository unless it is there. */
async function makeRepository(name: string, token: string, settings: HubSettings, options: PushOptions) {
  const { private: isPrivate, onWarning } = options
  try {
    const visibility =
      isPrivate === undefined ? {} : { visibility: isPrivate ? ('private' as const) : ('public' as const) }
    const { hubUrl, fetch } = settings
    await createRepo({ repo: { type: 'model', name }, accessToken: token, hubUrl, fetch, ...visibility })
  } catch (error) {
    // 409: it is there. Whether it may be written to is seen when it is.
    if (!(error instanceof HubApiError) || error.statusCode !== 409) throw error
    if (isPrivate) onWarning?.(`${name} was there already: it stays as visible as it is, whatever --private asks for`)
  }
}

/** Bytes that have gone of each file, as the shares that the library tells. */
function progressOf(files: readonly LocalFile[], report: HubSettings['onProgress']) {
  const sizes = new Map(files.map(({ path, size }) => [path, size]))
  return (event: CommitProgressEvent) => {
    if (event.event !== 'fileProgress' || event.state !== 'uploading') return
    const total = sizes.get(event.path) ?? 0
    report({ file: event.path, loaded: Math.round(total * event.progress), total })
  }
}

/**
 * Commits the files of a folder to a model repository of the hub, which is made if it is not there: large files go to the
 * store of large files, which takes what it has already by its hash, so a push that was interrupted goes on where it was.
 * Nothing is visible before the commit, which is one.
 * @throws AwqError CONFIG without a token, INVALID_ARGUMENT for a name that is none, NOT_FOUND for a folder without files,
 *   NETWORK for what the hub refuses (401, 403, 409) with what to do; rejects with `signal.reason`
 */
export async function pushToHub(folder: string, name: string, options: PushOptions = {}): Promise<Pushed> {
  const given = hubSettings(options)
  const { token, hubUrl, signal, revision } = given
  if (!isHubId(name)) throw new AwqError('INVALID_ARGUMENT', `${quoted(name)} is not a hub id: ORG/NAME is wanted`)
  if (given.offline) throw new AwqError('CONFIG', 'HF_HUB_OFFLINE is set: nothing can be pushed')
  if (token === undefined) {
    throw new AwqError('CONFIG', `pushing to ${name} needs an access token with the right "write": set HF_TOKEN`)
  }
  signal?.throwIfAborted()
  const files = await filesOf(folder).catch((error: unknown) => {
    throw fileError(folder, error)
  })
  if (files.length === 0) throw new AwqError('NOT_FOUND', `${folder} has no files to push`)
  // The library hands the signal to some of its requests only.
  const settings: HubSettings = {
    ...given,
    fetch: (input, init) => given.fetch(input, { ...init, signal: init?.signal ?? signal ?? null }),
  }
  try {
    await makeRepository(name, token, settings, options)
    const events = commitIter({
      repo: { type: 'model', name },
      accessToken: token,
      hubUrl,
      fetch: settings.fetch,
      branch: revision,
      title: options.message ?? `Upload ${basename(folder)}`,
      operations: files.map(({ path }) => ({
        operation: 'addOrUpdate',
        path,
        content: pathToFileURL(join(folder, path)),
      })),
      ...(signal ? { abortSignal: signal } : {}),
    })
    const report = progressOf(files, settings.onProgress)
    let step = await events.next()
    for (; !step.done; step = await events.next()) {
      signal?.throwIfAborted()
      report(step.value)
    }
    const bytes = files.reduce((sum, { size }) => sum + size, 0)
    return {
      url: `${hubUrl}/${name}/tree/${revision}`,
      // Undefined for buckets only.
      revision: step.value!.commit.oid,
      files: files.map(({ path }) => path),
      bytes,
    }
  } catch (error) {
    signal?.throwIfAborted()
    throw pushError(error, name, settings)
  }
}
