import type { ByteSource } from '../byte-source.ts'
import { AwqError, quoted } from '../error.ts'
import { checkFileName, type Folder, readSourceText } from '../folder.ts'
import { ggufNames } from '../gguf-names.ts'
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
import { type FileHashes, type HashedFolder, manifestHashes } from './manifest-hashes.ts'

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

/** Which commit of a hub's repository a copy is of. */
export type CopyOrigin = NonNullable<Folder['origin']>

/**
 * What a folder may come from. A function is called when something is to be fetched, and told which commit the copy was begun
 * with, so that the rest of it is of the same.
 */
export type FolderSource = HashedFolder | ((begun?: CopyOrigin) => HashedFolder | Promise<HashedFolder>)

/** What is noted of a folder, so that nobody needs to be asked again: its files, and what they are of. */
interface FolderNote {
  readonly files: readonly string[]
  readonly origin?: CopyOrigin
}

const noteFile = 'files.json'

/** Whether files can be those of a model: a configuration or a GGUF file, and a way to read text. */
const isModel = (files: readonly string[]): boolean =>
  ggufNames(files).length > 0 ||
  (files.includes('config.json') &&
    files.some((file) => file.endsWith('.safetensors')) &&
    files.includes('tokenizer.json'))

const isOrigin = (value: unknown): value is CopyOrigin => {
  const { repository, revision } = (value ?? {}) as Partial<Record<keyof CopyOrigin, unknown>>
  return typeof repository === 'string' && typeof revision === 'string'
}

const readNote = async (directory: FileSystemDirectoryHandle): Promise<FolderNote | undefined> => {
  try {
    const note: unknown = JSON.parse((await (await fileIn(directory, noteFile))?.text()) ?? 'null')
    const { files, origin } = (note ?? {}) as Partial<Record<keyof FolderNote, unknown>>
    if (!Array.isArray(files) || !files.every((file) => typeof file === 'string')) return undefined
    return { files, ...(isOrigin(origin) ? { origin } : {}) }
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
  let opened: Promise<HashedFolder> | undefined
  const reach = async (): Promise<HashedFolder> =>
    typeof source === 'function' ? source((await readNote(directory))?.origin) : source
  const origin = (): Promise<HashedFolder> => {
    opened ??= reach()
    opened.catch(() => {
      opened = undefined
    })
    return opened
  }
  const ask = async (): Promise<readonly string[]> => {
    const from = await origin()
    const note: FolderNote = { files: await from.list(), ...(from.origin ? { origin: from.origin } : {}) }
    // What a server in trouble says is not kept.
    if (isModel(note.files)) await writeFile(directory, noteFile, new TextEncoder().encode(JSON.stringify(note)))
    return note.files
  }
  const list = async (): Promise<string[]> => [...((await readNote(directory))?.files ?? (await ask()))]
  const has = async (file: string): Promise<boolean> => {
    checkFileName(file, name)
    return (await list()).includes(file)
  }

  let stated: Promise<FileHashes> | undefined
  const hashesOfManifest = async (): Promise<FileHashes> =>
    (await has(manifestName)) ? manifestHashes(await readText(manifestName)) : {}
  const hashOf = async (file: string): Promise<string | undefined> => {
    const known = options.hashes?.[file] ?? (await origin()).hashes?.[file]
    if (known !== undefined) return known
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
      hash: () => hashOf(file),
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
    let complete = isModel((await readNote(directory))?.files ?? [])
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
