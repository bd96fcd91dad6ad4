/**
 * An output folder on disk. Unfinished work lies in a folder of its own inside it, so that both are on one disk and the
 * last step is a rename.
 * @module
 */
import { mkdir, open, readdir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { hashFile, LOCK, lockFolder, openFolderWriter, WRITING } from '@awq/formats/node'
import { MANIFEST_FILE, PROVENANCE_FILE } from '@awq/quantize'
import { createStore } from '@awq/quantize/node'
import { AwqError } from '@awq/tensor'
import { openFolder } from '@awq/tensor/node'
import { readArrayFile, writeArrayFile } from './array-file.node.ts'
import type { Platform } from './platform.ts'
import type { Workspace } from './workspace.ts'

const UNFINISHED = '.awq-partial'
const JOURNAL = 'journal.ndjson'
/** What a commit moves; there while it does. */
const COMMIT = 'commit.json'
/** The model in other formats, a folder each. */
const EXPORTS = 'exports'

/** True for files of the workspace that are no part of the model. */
const isOwn = (name: string): boolean =>
  [JOURNAL, COMMIT, EXPORTS].includes(name) || name.startsWith('activations-') || name.endsWith('.new')

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | undefined)?.code

const hints: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: make room and repeat the command with --resume',
  EDQUOT: 'the disk quota is used up: make room and repeat the command with --resume',
  EACCES: 'permission denied',
  EROFS: 'the disk is read-only',
  ENOTDIR: 'it is a file, not a folder',
  EEXIST: 'it is a file, not a folder',
  // What Node says of making a folder on a read-only disk.
  ENOENT: 'the folder cannot be made or was removed; is the disk read-only?',
}

/** Runs a file operation; its failure names the path and says what to do. */
const onDisk = async <T>(path: string, operation: () => Promise<T>): Promise<T> => {
  try {
    return await operation()
  } catch (cause) {
    if (AwqError.is(cause)) throw cause
    const code = codeOf(cause)
    throw new AwqError('IO', `${path}: ${(code && hints[code]) ?? String((cause as Error).message)}`, { cause })
  }
}

/** Writes a file so that it is on the disk when the promise resolves. */
const writeDurably = async (path: string, parts: readonly (Uint8Array | string)[], flags: 'w' | 'a'): Promise<void> => {
  const file = await open(path, flags)
  try {
    for (const part of parts) await file.writeFile(part)
    await file.datasync()
  } finally {
    await file.close()
  }
}

/** The files and folders that a commit moves from a folder of the work to the output, the last one last. */
interface Move {
  readonly from: string
  readonly names: readonly string[]
}

const NO_MOVE: Move = { from: '', names: [] }

/** A move as `commit` wrote it down; anything else is none. */
const readMove = async (file: string): Promise<Move> => {
  const text = await readFile(file, 'utf8').catch(() => '')
  try {
    const { from, names } = JSON.parse(text) as { from: unknown; names: unknown }
    if (typeof from !== 'string' || !new RegExp(`^(${EXPORTS}(/[\\w-]+)?)?$`).test(from) || !Array.isArray(names))
      return NO_MOVE
    return { from, names: names.filter((name) => typeof name === 'string' && basename(name) === name) }
  } catch {
    return NO_MOVE
  }
}

/**
 * What a commit that was cut short left: what it had moved goes back, so that the work is as before; when the last one had
 * been moved, only the removal of the work was missing.
 */
const repairCommit = async (path: string): Promise<void> => {
  const work = join(path, UNFINISHED)
  const { from, names } = await readMove(join(work, COMMIT))
  if (names.length === 0) return
  const moved = new Set(await readdir(path))
  if (moved.has(names.at(-1)!)) return await rm(work, { recursive: true, force: true })
  const left = new Set(await readdir(join(work, from)))
  for (const name of names)
    if (moved.has(name) && !left.has(name)) await rename(join(path, name), join(work, from, name))
  await rm(join(work, COMMIT))
}

/** Bytes of a file, or of all files of a folder. */
const bytesOf = async (path: string): Promise<number> => {
  const found = await stat(path)
  if (!found.isDirectory()) return found.size
  let bytes = 0
  for (const name of await readdir(path)) bytes += await bytesOf(join(path, name))
  return bytes
}

/** Opens the output folder at `path`, which need not exist. One process at a time has it open. */
export const openWorkspace: Platform['openWorkspace'] = async (path) => {
  const made = await onDisk(path, () => mkdir(path, { recursive: true }))
  const unlock = await onDisk(path, () => lockFolder(path))
  const close = async () => {
    await unlock()
    // Nothing was begun: leave nothing behind.
    if (made !== undefined) await rmdir(path).catch(() => {})
  }
  try {
    return await onDisk(path, () => openLocked(path, close))
  } catch (error) {
    await close()
    throw error
  }
}

const openLocked = async (path: string, close: () => Promise<void>): Promise<Workspace> => {
  await repairCommit(path)
  const existing = await readdir(path)
  const foreign = existing.filter((name) => ![UNFINISHED, LOCK, WRITING, 'lost+found'].includes(name))
  if (foreign.length > 0) {
    const holds = foreign.includes(MANIFEST_FILE) ? 'a finished model' : foreign.slice(0, 3).join(', ')
    throw new AwqError(
      'EXISTS',
      `${path} is not empty (it holds ${holds}); choose a new output folder or empty this one`,
    )
  }
  // Of a conversion that was killed.
  await rm(join(path, WRITING), { recursive: true, force: true })
  const work = join(path, UNFINISHED)
  const within = (name: string) => join(work, name)
  /** Replaces a file: whatever happens, it has its old content or the new. */
  const replace = async (name: string, parts: readonly (Uint8Array | string)[]): Promise<void> => {
    await writeDurably(within(`${name}.new`), parts, 'w')
    await rename(within(`${name}.new`), within(name))
  }
  const move = async ({ from, names }: Move): Promise<number> => {
    await replace(COMMIT, [JSON.stringify({ from, names })])
    let bytes = 0
    for (const name of names) {
      bytes += await bytesOf(join(work, from, name))
      await rename(join(work, from, name), join(path, name))
    }
    await rm(work, { recursive: true, force: true })
    return bytes
  }
  return {
    name: path,
    unfinished: existing.includes(UNFINISHED),
    openStore: (plan, { keep }) =>
      onDisk(path, async () => {
        if (keep.length === 0) await rm(work, { recursive: true, force: true })
        await mkdir(work, { recursive: true })
        return createStore(work, plan, { keep: keep.length > 0 ? keep : false })
      }),
    async readJournal() {
      const text = await onDisk(path, () =>
        readFile(within(JOURNAL), 'utf8').catch((error) => {
          if (codeOf(error) === 'ENOENT') return ''
          throw error
        }),
      )
      return text.split('\n').slice(0, -1)
    },
    writeJournal: (lines) =>
      onDisk(path, async () => {
        await mkdir(work, { recursive: true })
        await replace(
          JOURNAL,
          lines.map((line) => `${line}\n`),
        )
      }),
    appendJournal: (line) => onDisk(path, () => writeDurably(within(JOURNAL), [`${line}\n`], 'a')),
    async writeArrays(name) {
      const writer = await onDisk(path, () => writeArrayFile(within(name)))
      return { ...writer, finish: () => onDisk(path, writer.finish) }
    },
    readArrays: (name, into) => onDisk(path, () => readArrayFile(within(name), into)),
    writeFile: (file, content) => onDisk(path, () => writeDurably(within(file), [content], 'w')),
    hashes: (options) =>
      onDisk(path, async () => {
        const hashes: Record<string, string> = {}
        for (const name of (await readdir(work)).sort())
          if (!isOwn(name)) hashes[name] = await hashFile(within(name), options)
        return hashes
      }),
    folder: () => openFolder(work),
    exportFolder: (name) =>
      onDisk(path, async () => {
        // Of an interrupted run.
        await rm(join(work, EXPORTS, name), { recursive: true, force: true })
        return await openFolderWriter(join(work, EXPORTS, name))
      }),
    commit: (last) =>
      onDisk(path, async () => {
        const files = (await readdir(work)).filter((name) => !isOwn(name))
        return await move({ from: '', names: [...files.filter((name) => name !== last), last] })
      }),
    commitExports: (names) =>
      onDisk(path, async () => {
        const [only] = names
        if (names.length > 1 || only === undefined) return await move({ from: EXPORTS, names })
        const from = `${EXPORTS}/${only}`
        const files = await readdir(join(work, from))
        const last = files.includes(PROVENANCE_FILE) ? PROVENANCE_FILE : MANIFEST_FILE
        return await move({ from, names: [...files.filter((name) => name !== last), last] })
      }),
    discard: () => onDisk(path, () => rm(work, { recursive: true, force: true })),
    [Symbol.asyncDispose]: close,
  }
}
