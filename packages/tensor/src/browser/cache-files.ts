/**
 * Where copies of models lie in a browser's private storage: `awq-models/NAME/FILE/` has a file in pieces of 8 MiB, called
 * `0`, `1` and so on, and `pieces.json`, which has the SHA-256 of each. Pieces, because a file that is being written is not
 * there until it is closed: whatever interrupts a download, whole pieces stay.
 * @module
 */
import { AwqError, quoted } from '../error.ts'
import { storageError } from './storage-error.ts'

/** Bytes of a piece; the last one of a file is shorter. */
export const pieceBytes = 8 * 2 ** 20

/** What is known of a file's copy. */
export interface PieceTable {
  readonly size: number
  /** `ByteSource.version` of what was copied. */
  readonly version?: string | undefined
  /** SHA-256 by piece; null for those that are not there yet. */
  readonly pieces: readonly (string | null)[]
}

export const topName = 'awq-models'
const tableName = 'pieces.json'

/** The browser's private storage. Throws UNSUPPORTED where there is none. */
export const privateStorage = async (): Promise<FileSystemDirectoryHandle> => {
  const storage = globalThis.navigator?.storage
  if (!storage?.getDirectory) {
    throw new AwqError(
      'UNSUPPORTED',
      'this page has no private storage: it needs https (or localhost) and a current browser',
    )
  }
  try {
    return await storage.getDirectory()
  } catch (error) {
    throw await storageError('the private storage of this site', error)
  }
}

/** A name as the file system takes it. */
const encoded = (name: string): string => {
  if (name === '' || name === '.' || name === '..') {
    throw new AwqError('INVALID_ARGUMENT', `${quoted(name)} is not a name for a cached model`)
  }
  return encodeURIComponent(name).replaceAll('*', '%2A')
}

/** The folder of all copies; undefined where there is none and none is to be made. */
const topOf = async (root: FileSystemDirectoryHandle, create: boolean) => child(root, topName, create)

const child = async (
  parent: FileSystemDirectoryHandle,
  name: string,
  create: boolean,
): Promise<FileSystemDirectoryHandle | undefined> => {
  try {
    return await parent.getDirectoryHandle(name, { create })
  } catch (error) {
    if (!create && error instanceof DOMException && error.name === 'NotFoundError') return undefined
    throw await storageError(name, error)
  }
}

/** The folder of one model's copy, made when it is not there. */
export const modelDirectory = async (
  root: FileSystemDirectoryHandle,
  name: string,
): Promise<FileSystemDirectoryHandle> => (await child((await topOf(root, true))!, encoded(name), true))!

/** The folder of one file's pieces, made when it is not there. */
export const fileDirectory = async (
  model: FileSystemDirectoryHandle,
  file: string,
): Promise<FileSystemDirectoryHandle> => (await child(model, encoded(file), true))!

/** A file of a folder; undefined when it is not there. */
export const fileIn = async (directory: FileSystemDirectoryHandle, name: string): Promise<File | undefined> => {
  try {
    return await (await directory.getFileHandle(name)).getFile()
  } catch (error) {
    if (error instanceof DOMException && error.name === 'NotFoundError') return undefined
    throw await storageError(name, error)
  }
}

/** Removes an entry with all that is in it; none is fine. */
export const removeIn = async (directory: FileSystemDirectoryHandle, name: string): Promise<void> => {
  try {
    await directory.removeEntry(name, { recursive: true })
  } catch (error) {
    if (!(error instanceof DOMException && error.name === 'NotFoundError')) throw await storageError(name, error)
  }
}

interface SyncAccess {
  truncate(size: number): void
  write(bytes: Uint8Array, options: { at: number }): number
  flush(): void
  close(): void
}

/** Writes a whole file. Where `createWritable` is missing (older Safari, in a Worker), it is written in place. */
export const writeFile = async (
  directory: FileSystemDirectoryHandle,
  name: string,
  bytes: Uint8Array,
): Promise<void> => {
  try {
    const handle = await directory.getFileHandle(name, { create: true })
    if ('createWritable' in handle) {
      const writable = await handle.createWritable()
      await writable.write(bytes as Uint8Array<ArrayBuffer>)
      await writable.close()
      return
    }
    const access = await (handle as { createSyncAccessHandle(): Promise<SyncAccess> }).createSyncAccessHandle()
    try {
      access.truncate(0)
      access.write(bytes, { at: 0 })
      access.flush()
    } finally {
      access.close()
    }
  } catch (error) {
    throw await storageError(name, error)
  }
}

const isTable = (value: unknown): value is PieceTable => {
  const { size, version, pieces } = (value ?? {}) as Partial<Record<keyof PieceTable, unknown>>
  return (
    Number.isSafeInteger(size) &&
    (version === undefined || typeof version === 'string') &&
    Array.isArray(pieces) &&
    pieces.length === Math.ceil(Number(size) / pieceBytes) &&
    pieces.every((piece) => piece === null || typeof piece === 'string')
  )
}

/** The table of a file's pieces; undefined when there is none that can be read. */
export const readTable = async (directory: FileSystemDirectoryHandle): Promise<PieceTable | undefined> => {
  const file = await fileIn(directory, tableName)
  if (!file) return undefined
  try {
    const table: unknown = JSON.parse(await file.text())
    return isTable(table) ? table : undefined
  } catch {
    return undefined
  }
}

export const writeTable = (directory: FileSystemDirectoryHandle, table: PieceTable): Promise<void> =>
  writeFile(directory, tableName, new TextEncoder().encode(JSON.stringify(table)))

/** Names and directories of the models that there are copies of. */
export const modelDirectories = async (
  root: FileSystemDirectoryHandle,
): Promise<(readonly [name: string, directory: FileSystemDirectoryHandle])[]> => {
  const top = await topOf(root, false)
  const found: [string, FileSystemDirectoryHandle][] = []
  if (top) {
    for await (const [name, entry] of top.entries()) {
      if (entry.kind === 'directory') found.push([decodeURIComponent(name), entry as FileSystemDirectoryHandle])
    }
  }
  return found
}

/** Removes the copy of a model; none is fine. */
export const removeModel = async (root: FileSystemDirectoryHandle, name: string): Promise<void> => {
  const top = await topOf(root, false)
  if (top) await removeIn(top, encoded(name))
}
