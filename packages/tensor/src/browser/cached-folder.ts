import type { ByteSource } from '../byte-source.ts'
import { AwqError, quoted } from '../error.ts'
import { checkFileName, type Folder, readSourceText } from '../folder.ts'
import { manifestName } from '../model-file-names.ts'
import {
  fileDirectory,
  fileIn,
  modelDirectories,
  modelDirectory,
  pieceBytes,
  privateStorage,
  readTable,
  removeModel,
  writeFile,
} from './cache-files.ts'
import { openCachedFile } from './cached-file.ts'
import { type FileHashes, manifestHashes } from './manifest-hashes.ts'

/** How a copy is kept. */
export interface CacheOptions {
  /** What the copy is called: one name, one copy. For a model of a URL, the URL is a good one. */
  readonly name: string
  /** Where copies lie; by default the browser's private storage for this site. */
  readonly root?: FileSystemDirectoryHandle | undefined
  /** SHA-256 of files, by name; those that the manifest of a quantized model has are known without. */
  readonly hashes?: FileHashes | undefined
  /** Hash a file's copy again each time it is opened, and fetch anew what is damaged. Default true. */
  readonly verify?: boolean | undefined
}

/** What a folder may come from. */
export type FolderSource = Folder | (() => Folder | Promise<Folder>)

/** The list of a folder's files, noted so that nobody needs to be asked again. */
const listFile = 'files.json'

const readList = async (directory: FileSystemDirectoryHandle): Promise<string[] | undefined> => {
  try {
    const list: unknown = JSON.parse((await (await fileIn(directory, listFile))?.text()) ?? 'null')
    return Array.isArray(list) && list.every((file) => typeof file === 'string') ? list : undefined
  } catch {
    return undefined
  }
}

/**
 * A folder with a copy of its files in the browser's private storage, so that they are fetched once and work offline.
 * Small files are copied when they are opened, large ones by `download` of their source, in pieces: an interrupted download
 * goes on where it was, and what is damaged is fetched anew. The origin is not asked again for what is there: to take a new
 * version of a model, remove the copy (`removeCached`).
 * @throws AwqError UNSUPPORTED where the browser has no storage, IO when it is full, INVALID_FILE for a download whose hash
 *   is not the stated one, and what the origin throws
 */
export const cachedFolder = async (source: FolderSource, options: CacheOptions): Promise<Folder> => {
  const { name, verify = true } = options
  const directory = await modelDirectory(options.root ?? (await privateStorage()), name)
  let opened: Promise<Folder> | undefined
  const origin = (): Promise<Folder> => {
    opened ??= Promise.resolve(typeof source === 'function' ? source() : source)
    opened.catch(() => {
      opened = undefined
    })
    return opened
  }
  const list = async (): Promise<string[]> => {
    const known = await readList(directory)
    if (known) return known
    const files = await (await origin()).list()
    await writeFile(directory, listFile, new TextEncoder().encode(JSON.stringify(files)))
    return files
  }
  const has = async (file: string): Promise<boolean> => {
    checkFileName(file, name)
    return (await list()).includes(file)
  }

  let stated: Promise<FileHashes> | undefined
  const hashesOfManifest = async (): Promise<FileHashes> =>
    (await has(manifestName)) ? manifestHashes(await readText(manifestName)) : {}
  const hashOf = async (file: string): Promise<string | undefined> => {
    if (options.hashes?.[file] !== undefined) return options.hashes[file]
    if (file === manifestName) return undefined
    stated ??= hashesOfManifest()
    stated.catch(() => {
      stated = undefined
    })
    return (await stated)[file]
  }

  const sources = new Map<string, Promise<ByteSource>>()
  const openNew = async (file: string): Promise<ByteSource> => {
    if (!(await has(file))) throw new AwqError('NOT_FOUND', `${name} has no file ${quoted(file)}`)
    const made = await openCachedFile({
      name: `${name}/${file}`,
      directory: await fileDirectory(directory, file),
      origin: async () => (await origin()).open(file),
      hash: await hashOf(file),
      verify,
    })
    if (made.size <= pieceBytes) await made.download?.()
    return made
  }
  const open = (file: string): Promise<ByteSource> => {
    const made = sources.get(file) ?? openNew(file)
    sources.set(file, made)
    made.catch(() => sources.delete(file))
    return made
  }
  const readText: Folder['readText'] = async (file, limits) => readSourceText(await open(file), limits?.maxBytes)
  return { name, list, has, open, readText }
}

/** A model that there is a copy of, perhaps not all of it. */
export interface CachedModel {
  readonly name: string
  /** Bytes that lie in the storage. */
  readonly bytes: number
  /** Whether all of every file that was opened is there. */
  readonly complete: boolean
}

/** The models that copies are kept of, by name. */
export const cachedModels = async (root?: FileSystemDirectoryHandle): Promise<CachedModel[]> => {
  const models: CachedModel[] = []
  for (const [name, directory] of await modelDirectories(root ?? (await privateStorage()))) {
    let bytes = 0
    let complete = true
    for await (const entry of directory.values()) {
      if (entry.kind !== 'directory') continue
      const table = await readTable(entry as FileSystemDirectoryHandle)
      if (!table) complete = false
      for (const [index, piece] of table?.pieces.entries() ?? []) {
        if (piece === null) complete = false
        else bytes += Math.min(pieceBytes, table!.size - index * pieceBytes)
      }
    }
    models.push({ name, bytes, complete })
  }
  return models.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Removes the copy of a model from the storage; none is fine. */
export const removeCached = async (name: string, root?: FileSystemDirectoryHandle): Promise<void> =>
  removeModel(root ?? (await privateStorage()), name)
