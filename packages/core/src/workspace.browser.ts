/**
 * An output folder of a browser. Unfinished work lies in the origin's private file system, where files can be written in
 * place: inside the output when that lies there too, so that the last step is a rename, and beside it when the user chose
 * a folder of the disk, to which the files are copied then.
 * @module
 */
import { directoryWriter, hashBlob } from '@awq/formats/browser'
import { MANIFEST_FILE, PROVENANCE_FILE } from '@awq/quantize'
import {
  createDirectoryStore,
  findDirectory,
  findFile,
  hasSyncFiles,
  listFiles,
  moveFile,
  removePath,
  subdirectory,
  writeSmallFile,
} from '@awq/quantize/browser'
import { AwqError } from '@awq/tensor'
import { onStorage } from '@awq/tensor/browser'
import { readArrayFile, writeArrayFile } from './browser/array-file.ts'
import { folderOf } from './browser/folder-of.ts'
import { takeLock } from './browser/lock.ts'
import { type BrowserOutput, JOURNAL, type Place, placeOf, SWAP, UNFINISHED } from './browser/place.ts'
import type { Workspace } from './workspace.ts'

/** What a commit moves; there while it does. */
const COMMIT = 'commit.json'
/** The model in other formats, a folder each. */
const EXPORTS = 'exports'

/** True for files of the workspace that are no part of the model. */
const isOwn = (name: string): boolean =>
  [JOURNAL, COMMIT, EXPORTS].includes(name) || name.startsWith('activations-') || name.endsWith('.new')

/** What file managers put into folders, and Chromium when a page that writes to one is closed. */
const isDust = (name: string): boolean =>
  ['.DS_Store', 'desktop.ini', 'Thumbs.db'].includes(name) || name.endsWith(SWAP)

/** The files that a commit puts from a folder of the work into the output, by path, the last one last. */
interface Move {
  readonly from: string
  readonly names: readonly string[]
}

const NO_MOVE: Move = { from: '', names: [] }

/** A move as `commit` wrote it down; anything else is none. */
const readMove = async (work: FileSystemDirectoryHandle): Promise<Move> => {
  try {
    const { from, names } = JSON.parse((await (await findFile(work, COMMIT))?.text()) ?? '{}') as Partial<Move>
    return typeof from === 'string' && Array.isArray(names) ? { from, names } : NO_MOVE
  } catch {
    return NO_MOVE
  }
}

const removeWork = ({ work }: Place): Promise<void> => removePath(work.parent, work.path)

/** Whether a file is whole in the output: it was moved there, or all of it was copied. */
const isPut = async (name: string, source: FileSystemDirectoryHandle, output: FileSystemDirectoryHandle) => {
  const [there, left] = [await findFile(output, name), await findFile(source, name)]
  return there !== undefined && (left === undefined || left.size === there.size)
}

/**
 * What a commit that was cut short left: what it had moved goes back, so that the work is as before; when the last one had
 * been moved, only the removal of the work was missing.
 */
const repairCommit = async (place: Place): Promise<void> => {
  const work = await findDirectory(place.work.parent, place.work.path)
  if (!work) return
  const { from, names } = await readMove(work)
  if (names.length === 0) return
  const output = await place.output()
  const source = await subdirectory(work, from)
  if (await isPut(names.at(-1)!, source, output)) return await removeWork(place)
  const there = new Set(await listFiles(output, (name) => name === UNFINISHED))
  for (const name of names) if (there.has(name) || there.has(`${name}${SWAP}`)) await place.takeBack(name, source)
  await removePath(work, COMMIT)
}

/** Opens an output folder, which need not exist. One tab or Worker at a time has it open. */
export const openWorkspace = async (output: BrowserOutput): Promise<Workspace> => {
  if (!hasSyncFiles())
    throw new AwqError(
      'UNSUPPORTED',
      "a page's main thread can not write a model: call quantizeInWorker of @awq/core/browser, or quantize in a Worker",
    )
  const place = await placeOf(output)
  const unlock = await takeLock(place.lock, place.name)
  const close = async () => {
    if (!(await findDirectory(place.work.parent, place.work.path))) await place.forget()
    unlock()
  }
  try {
    return await onStorage(place.name, () => openLocked(place, close))
  } catch (error) {
    await close()
    throw error
  }
}

const checkEmpty = async (place: Place): Promise<void> => {
  const holds = await listFiles(await place.output(), (name) => name === UNFINISHED || isDust(name))
  if (holds.length === 0) return
  const what = holds.includes(MANIFEST_FILE) ? 'a finished model' : holds.slice(0, 3).join(', ')
  throw new AwqError(
    'EXISTS',
    `${place.name} is not empty (it holds ${what}); choose a new output folder or empty this one`,
  )
}

const openLocked = async (place: Place, close: () => Promise<void>): Promise<Workspace> => {
  const { name } = place
  await repairCommit(place)
  await checkEmpty(place)
  const unfinished = (await findDirectory(place.work.parent, place.work.path)) !== undefined
  const within = (path = ''): Promise<FileSystemDirectoryHandle> =>
    subdirectory(place.work.parent, `${place.work.path}/${path}`, { create: true })
  const onDisk = <T>(operation: () => Promise<T>): Promise<T> => onStorage(name, operation)
  /** Replaces a file: whatever happens, it has its old content or the new. */
  const replace = async (file: string, parts: readonly (Uint8Array | string)[]): Promise<void> => {
    const work = await within()
    await writeSmallFile(work, `${file}.new`, parts)
    await moveFile(work, `${file}.new`, work, file)
  }
  const move = async ({ from, names }: Move): Promise<number> => {
    await replace(COMMIT, [JSON.stringify({ from, names })])
    const source = await within(from)
    let bytes = 0
    for (const file of names) {
      bytes += (await findFile(source, file))?.size ?? 0
      await place.put(source, file)
    }
    await removeWork(place)
    return bytes
  }
  const lastOf = (files: readonly string[]) => (files.includes(PROVENANCE_FILE) ? PROVENANCE_FILE : MANIFEST_FILE)
  const withLast = (files: readonly string[], last: string) => [...files.filter((file) => file !== last), last]
  return {
    name,
    unfinished,
    openStore: (plan, { keep }) =>
      onDisk(async () => {
        if (keep.length === 0) await removeWork(place)
        return createDirectoryStore(await within(), plan, { keep: keep.length > 0 ? keep : false })
      }),
    async readJournal() {
      const work = await findDirectory(place.work.parent, place.work.path)
      const text = await onDisk(async () => (work && (await (await findFile(work, JOURNAL))?.text())) ?? '')
      return text.split('\n').slice(0, -1)
    },
    writeJournal: (lines) =>
      onDisk(() =>
        replace(
          JOURNAL,
          lines.map((line) => `${line}\n`),
        ),
      ),
    appendJournal: (line) =>
      onDisk(async () => writeSmallFile(await within(), JOURNAL, [`${line}\n`], { append: true })),
    writeArrays: (array) => onDisk(async () => writeArrayFile(await within(), array)),
    readArrays: (array, into) => onDisk(async () => readArrayFile(await within(), array, into)),
    writeFile: (file, content) => onDisk(async () => writeSmallFile(await within(), file, [content])),
    hashes: (options) =>
      onDisk(async () => {
        const hashes: Record<string, string> = {}
        const work = await within()
        for (const file of await listFiles(work, isOwn))
          hashes[file] = await hashBlob((await findFile(work, file))!, options)
        return hashes
      }),
    folder: async () => folderOf(await within(), name),
    exportFolder: (format) =>
      onDisk(async () => {
        // Of an interrupted run.
        await removePath(await within(), `${EXPORTS}/${format}`)
        return directoryWriter(await within(`${EXPORTS}/${format}`), name)
      }),
    commit: (last) =>
      onDisk(async () => move({ from: '', names: withLast(await listFiles(await within(), isOwn), last) })),
    commitExports: (names) =>
      onDisk(async () => {
        const from = names.length === 1 ? `${EXPORTS}/${names[0]}` : EXPORTS
        const files = await listFiles(await within(from))
        return await move({ from, names: names.length === 1 ? withLast(files, lastOf(files)) : files })
      }),
    discard: () => onDisk(() => removeWork(place)),
    [Symbol.asyncDispose]: close,
  }
}
