/**
 * What a hub says of a model, by the two questions of its API that are needed.
 * @module
 */
import { AwqError, messageOf, quoted } from '../error.ts'
import { checkFileName } from '../folder.ts'
import { type HubQuestion, hubStatusError } from '../hub-status.ts'
import { parseJson } from '../parse-json.ts'
import type { FileHashes } from './manifest-hashes.ts'

/** Whom to ask, and how. */
export interface HubAccess extends HubQuestion {
  readonly fetch: typeof fetch
  readonly signal: AbortSignal | undefined
}

/** The files of a commit. */
export interface HubListing {
  /** 40 hexadecimal digits. */
  readonly commit: string
  readonly files: readonly string[]
  /** SHA-256 of those that the hub keeps outside git: weights. */
  readonly hashes: FileHashes
}

/** No answer within this time means no network, in milliseconds. */
const answerTime = 15_000

/** Pages of a listing at most; each has up to 1000 files. */
const mostPages = 50

/** Headers that say who asks. */
export const authorization = ({ token }: Pick<HubQuestion, 'token'>): Readonly<Record<string, string>> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` }

/** One question: the answer, and where the rest of it is. */
const ask = async (
  url: string,
  what: string,
  access: HubAccess,
): Promise<{ value: unknown; next: string | undefined }> => {
  const { signal, hubUrl } = access
  const late = AbortSignal.timeout(answerTime)
  let response: Response
  let text: string
  try {
    response = await access.fetch(url, {
      headers: authorization(access),
      signal: signal ? AbortSignal.any([signal, late]) : late,
    })
    text = await response.text()
  } catch (error) {
    signal?.throwIfAborted()
    const reason = late.aborted ? `no answer in ${answerTime / 1000} s` : messageOf(error)
    throw new AwqError('NETWORK', `${what}: ${hubUrl} cannot be reached: ${reason}; check the connection (or hubUrl)`, {
      cause: error,
    })
  }
  if (!response.ok) throw hubStatusError(response.status, what, access)
  const [, next] = /<([^>]+)>;\s*rel="next"/.exec(response.headers.get('link') ?? '') ?? []
  return { value: parseJson(text, `the answer of ${hubUrl}`), next }
}

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}

/**
 * The commit of a revision and its files. All that the hub says is checked before it becomes part of an address.
 * @throws AwqError NOT_FOUND, NETWORK
 */
export const listHubModel = async (repository: string, access: HubAccess): Promise<HubListing> => {
  const { hubUrl, revision } = access
  const api = `${hubUrl}/api/models/${repository}`
  const bad = (what: string) => new AwqError('NETWORK', `${repository}: ${hubUrl} gave ${what}; is it a hub?`)
  const { value } = await ask(`${api}/revision/${encodeURIComponent(revision)}`, repository, access)
  const commit = record(value).sha
  if (typeof commit !== 'string' || !/^[0-9a-f]{40}$/.test(commit)) throw bad('no commit')
  const files: string[] = []
  const hashes: Record<string, string> = {}
  const first = `${api}/tree/${commit}?recursive=true`
  for (let url: string | undefined = first, page = 0; url !== undefined; page++) {
    // A token is for the hub alone.
    if (page === mostPages || new URL(url).origin !== new URL(hubUrl).origin) throw bad('a listing without end')
    const answer: Awaited<ReturnType<typeof ask>> = await ask(url, repository, access)
    if (!Array.isArray(answer.value)) throw bad('no list of files')
    for (const entry of answer.value) {
      const { type, path, lfs } = record(entry)
      if (type !== 'file') continue
      if (typeof path !== 'string') throw bad('a file without a name')
      checkFileName(path, repository)
      files.push(path)
      if (lfs === undefined) continue
      const { oid } = record(lfs)
      if (typeof oid !== 'string' || !/^[0-9a-f]{64}$/.test(oid)) throw bad(`a bad entry for ${quoted(path)}`)
      hashes[path] = oid
    }
    url = answer.next
  }
  return { commit, files, hashes }
}
