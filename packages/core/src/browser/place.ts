/**
 * Where a browser keeps an output folder, and the work that becomes it.
 * @module
 */
import { copyFile, fileHandle, findFile, moveFile, removePath, subdirectory } from '@awq/quantize/browser'
import { AwqError, quoted } from '@awq/tensor'
import { cacheFolderName } from '@awq/tensor/browser'
import { findFolderId, folderId, forgetFolder } from './chosen-folders.ts'

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
  /** Called when there is no work any more. */
  forget(): Promise<void>
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

/**
 * An output as a page names it.
 * @throws AwqError INVALID_ARGUMENT for a path that is none, or one of a folder that these packages keep for themselves
 */
export const checkOutput = <Output extends BrowserOutput>(output: Output): Output => {
  if (typeof output !== 'string') return output
  const names = checkPath(output).split('/')
  if (names[0] === cacheFolderName || names.some((name) => name.startsWith('.')))
    throw new AwqError(
      'INVALID_ARGUMENT',
      `${quoted(output)} can not be an output: names that begin with a dot, and ${cacheFolderName}, are taken; choose another`,
    )
  return output
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
    forget: async () => {},
  }
}

/** The place of an output on the user's disk, where no file can be written in place: the work lies elsewhere. */
const chosenPlace = async (directory: FileSystemDirectoryHandle, id: string): Promise<Place> => {
  const path = `${UNFINISHED}/${id}`
  return {
    name: directory.name,
    lock: `awq:${path}`,
    output: async () => directory,
    work: { parent: await privateRoot(), path },
    put: async (from, file) => copyFile(await fileHandle(from, file), directory, file),
    async takeBack(file, into) {
      await removePath(directory, `${file}${SWAP}`)
      // The work has kept its own; what somebody else put there under this name is theirs.
      const [copy, own] = [await findFile(directory, file), await findFile(into, file)]
      if (copy && (copy.size === 0 || copy.size === own?.size)) await removePath(directory, file)
    },
    forget: () => forgetFolder(id),
  }
}

/** The place of an output. @throws AwqError UNSUPPORTED where the page has no private file system */
export const placeOf = async (output: BrowserOutput): Promise<Place> =>
  typeof output === 'string' ? privatePlace(output) : chosenPlace(output, await folderId(output))

/** The same; undefined for a folder of the disk that nothing was ever begun for. */
export const findPlace = async (output: BrowserOutput): Promise<Place | undefined> => {
  if (typeof output === 'string') return privatePlace(output)
  const id = await findFolderId(output)
  return id === undefined ? undefined : chosenPlace(output, id)
}
