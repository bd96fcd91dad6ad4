import type { ByteSource } from '../byte-source.ts'
import { parseIndex } from '../checkpoint.ts'
import { AwqError } from '../error.ts'
import { checkFileName, type Folder, readSourceText } from '../folder.ts'
import { type HttpSourceOptions, httpSource } from '../http-source.ts'
import { indexName, knownModelFiles, manifestName, weightsName } from '../model-file-names.ts'
import { manifestHashes } from './manifest-hashes.ts'

/** How a folder behind a URL is read. */
export interface UrlFolderOptions extends HttpSourceOptions {
  /**
   * The files that there are. By default those that the manifest of a quantized model names; else the server, which has
   * no listing, is asked for every name that a model's file can have (a browser's console shows the 404 of those missing).
   */
  readonly files?: readonly string[] | undefined
}

/** The URL with a slash at its end, so that names lie below it; its query stays. */
const folderUrl = (url: string | URL): URL => {
  let given: URL
  try {
    given = new URL(url, globalThis.location?.href)
  } catch (cause) {
    throw new AwqError('INVALID_ARGUMENT', `${JSON.stringify(String(url))} is not a URL`, { cause })
  }
  if (!given.pathname.endsWith('/')) given.pathname += '/'
  return given
}

/**
 * The folder behind a URL, read by range requests: `https://host/model/` has `https://host/model/config.json`. Nothing is
 * asked of the server before the first use. Opened files are kept open, so that a name is asked for once.
 * @throws AwqError as `httpSource`; NOT_FOUND also for a page (text/html) that a server sends in place of a missing file
 */
export const urlFolder = (url: string | URL, options: UrlFolderOptions = {}): Folder => {
  const base = folderUrl(url)
  const name = base.origin === 'null' ? base.pathname : base.origin + base.pathname
  const sources = new Map<string, Promise<ByteSource>>()
  const open = async (file: string): Promise<ByteSource> => {
    checkFileName(file, name)
    const known = sources.get(file)
    if (known) return known
    const target = new URL(base)
    target.pathname += file.split('/').map(encodeURIComponent).join('/')
    const made = httpSource(target, { ...options, refusePages: true })
    sources.set(file, made)
    // What failed may be tried again; what is not there stays so.
    made.catch((error: unknown) => {
      if (!(AwqError.is(error) && error.code === 'NOT_FOUND')) sources.delete(file)
    })
    return made
  }
  const has = async (file: string): Promise<boolean> => {
    if (options.files) return options.files.includes(file)
    // Names of unfinished work, on a disk; no server is asked for them.
    if (file.startsWith('.')) return false
    try {
      await open(file)
      return true
    } catch (error) {
      if (AwqError.is(error) && error.code === 'NOT_FOUND') return false
      throw error
    }
  }
  const readText: Folder['readText'] = async (file, limits) => readSourceText(await open(file), limits?.maxBytes)
  const shards = async (): Promise<string[]> => [...new Set(parseIndex(await readText(indexName), indexName).values())]
  const find = async (): Promise<string[]> => {
    if (await has(manifestName)) {
      const hashed = Object.keys(manifestHashes(await readText(manifestName)))
      if (hashed.length > 0) return [...hashed, manifestName]
    }
    // An address without a configuration is no model's: the other names need not be asked for.
    if (!(await has('config.json'))) return []
    const weights = (await has(weightsName))
      ? [weightsName]
      : (await has(indexName))
        ? [indexName, ...(await shards())]
        : []
    const others = knownModelFiles.filter((file) => ![manifestName, weightsName, indexName].includes(file))
    const asked = await Promise.all(others.map(async (file) => ((await has(file)) ? [file] : [])))
    return [...asked.flat(), ...weights]
  }
  let listed: Promise<string[]> | undefined
  return {
    name,
    async list() {
      listed ??= options.files ? Promise.resolve([...options.files]) : find()
      listed.catch(() => {
        listed = undefined
      })
      return [...new Set(await listed)].sort()
    },
    has,
    open,
    readText,
  }
}
