/**
 * An output folder on disk. Unfinished work lies in a folder of its own inside it, so that both are on one disk and the
 * last step is a rename.
 * @module
 */
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createStore } from '@awq/quantize/node'
import { AwqError } from '@awq/tensor'
import type { Platform } from './platform.ts'

const UNFINISHED = '.awq-partial'
const JOURNAL = 'journal.ndjson'

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | undefined)?.code

const hints: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: make room and repeat the command with --resume',
  EDQUOT: 'the disk quota is used up: make room and repeat the command with --resume',
  EACCES: 'permission denied',
  EROFS: 'the disk is read-only',
  ENOTDIR: 'it is a file, not a folder',
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

const bytesOf = (array: Float32Array): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength)

/** Opens the output folder at `path`, which need not exist. */
export const openWorkspace: Platform['openWorkspace'] = async (path) => {
  const existing = await onDisk(path, () =>
    readdir(path).catch((error) => {
      if (codeOf(error) === 'ENOENT') return [] as string[]
      throw error
    }),
  )
  const foreign = existing.filter((name) => name !== UNFINISHED && name !== 'lost+found')
  if (foreign.length > 0)
    throw new AwqError(
      'EXISTS',
      `${path} is not empty (it holds ${foreign.slice(0, 3).join(', ')}); choose a new output folder or empty this one`,
    )
  const work = join(path, UNFINISHED)
  const within = (name: string) => join(work, name)
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
      const text = await readFile(within(JOURNAL), 'utf8').catch(() => '')
      return text.split('\n').slice(0, -1)
    },
    appendJournal: (line) => onDisk(path, () => writeDurably(within(JOURNAL), [`${line}\n`], 'a')),
    saveArrays: (name, arrays) =>
      onDisk(path, async () => {
        await writeDurably(within(`${name}.new`), arrays.map(bytesOf), 'w')
        await rename(within(`${name}.new`), within(name))
      }),
    loadArrays: (name, length) =>
      onDisk(path, async () => {
        const { size } = await stat(within(name))
        if (size !== length * 4)
          throw new AwqError(
            'INVALID_FILE',
            `${within(name)}: ${size} bytes where ${length * 4} are needed; start over`,
          )
        const bytes = await readFile(within(name))
        return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
      }),
    writeText: (file, text) => onDisk(path, () => writeDurably(within(file), [text], 'w')),
    commit: (last) =>
      onDisk(path, async () => {
        const files = (await readdir(work)).filter((name) => name !== JOURNAL && !name.startsWith('activations-'))
        const ordered = [...files.filter((name) => name !== last), last]
        let bytes = 0
        for (const name of ordered) {
          bytes += (await stat(within(name))).size
          await rename(within(name), join(path, name))
        }
        await rm(work, { recursive: true, force: true })
        return bytes
      }),
    discard: () => onDisk(path, () => rm(work, { recursive: true, force: true })),
  }
}
