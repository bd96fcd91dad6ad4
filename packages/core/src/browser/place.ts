/**
 * Where a browser keeps an output folder, and the work that becomes it.
 * @module
 */
import { copyFile, fileHandle, moveFile, removePath, subdirectory } from '@awq/quantize/browser'
import { AwqError, quoted } from '@awq/tensor'

/** An output of a browser: a path in the origin's private file system, or a folder that its user chose. */
export type BrowserOutput = string | FileSystemDirectoryHandle

/** The hidden folder of unfinished work. */
export const UNFINISHED = '.awq-partial'

/** What Chromium writes a file of the disk to until all of it is there: the file's name, and this. It stays when the page is closed. */
export const SWAP = '.crswap'

/** In it: which blocks are done. */
export const JOURNAL = 'journal.ndjson'

/** A folder, by its parent: browsers remove folders by name. */
interface Spot {
  readonly parent: FileSystemDirectoryHandle
  /** Path in the parent. */
  readonly path: string
}

/** An output folder and the folder of its work. */
export interface Place {
  /** What messages call it. */
  readonly name: string
  /** The name of the lock that whoever writes there holds. */
  readonly lock: string
  /** The finished model; made when it is not there. */
  output(): Promise<FileSystemDirectoryHandle>
  /** The work, always in the private file system. */
  readonly work: Spot
  /** Puts a file of the work, by its path there, into the output. */
  put(from: FileSystemDirectoryHandle, path: string): Promise<void>
  /** Takes a file of the output back. */
  takeBack(path: string, into: FileSystemDirectoryHandle): Promise<void>
}

/** The top of the private file system. @throws AwqError UNSUPPORTED where the page has none */
export const privateRoot = async (): Promise<FileSystemDirectoryHandle> => {
  try {
    return await navigator.storage.getDirectory()
  } catch (cause) {
    throw new AwqError(
      'UNSUPPORTED',
      'this page has no private file system: serve it by https or from localhost, outside of a private window',
      { cause },
    )
  }
}

/** @throws AwqError INVALID_ARGUMENT for a path that is none */
export const checkPath = (path: string): string => {
  const parts = path.split('/')
  if (parts.some((part) => part === '' || part === '.' || part === '..') || /[\\\0]/.test(path))
    throw new AwqError(
      'INVALID_ARGUMENT',
      `${quoted(path)} is no folder in the private file system: give a name, or names with / between them`,
    )
  return path
}

/** The place of an output by path: its work lies in it, and moves by renaming. */
const privatePlace = async (path: string): Promise<Place> => {
  const top = await privateRoot()
  const output = () => subdirectory(top, checkPath(path), { create: true })
  return {
    name: path,
    lock: `awq:${checkPath(path)}`,
    output,
    work: { parent: top, path: `${path}/${UNFINISHED}` },
    put: async (from, file) => moveFile(from, file, await output(), file),
    takeBack: async (file, into) => moveFile(await output(), file, into, file),
  }
}

/** The place of an output on the user's disk, where no file can be written in place: the work lies elsewhere. */
const chosenPlace = async (directory: FileSystemDirectoryHandle): Promise<Place> => {
  const top = await privateRoot()
  const path = `${UNFINISHED}/${directory.name}`
  return {
    name: directory.name,
    lock: `awq:${path}`,
    output: async () => directory,
    work: { parent: top, path },
    put: async (from, file) => copyFile(await fileHandle(from, file), directory, file),
    takeBack: async (file) => {
      await removePath(directory, `${file}${SWAP}`)
      await removePath(directory, file)
    },
  }
}

/** The place of an output. @throws AwqError UNSUPPORTED where the page has no private file system */
export const placeOf = (output: BrowserOutput): Promise<Place> =>
  typeof output === 'string' ? privatePlace(output) : chosenPlace(output)
