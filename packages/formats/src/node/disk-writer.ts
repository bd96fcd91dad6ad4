/**
 * An output folder on disk. Files are written into a hidden folder inside it, so that both are on one disk and the last
 * step is a rename of each.
 * @module
 */
import { copyFile, type FileHandle, link, mkdir, open, readdir, readFile, rename, rm, rmdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { diskError, diskFull, freeBytes } from '@awq/quantize/node'
import { AwqError } from '@awq/tensor'
import { fileSource } from '@awq/tensor/node'
import { sha256 } from '#sha256'
import { COMMIT, movedNames, WRITING } from '../folder/unfinished.ts'
import { checkPlace, claimFile, type FileWriter, type FolderWriter } from '../folder/writer.ts'
import type { Sha256 } from '../sha256.ts'
import { LOCK, lockFolder } from './folder-lock.ts'

/** What `awq quantize` keeps of interrupted work. */
const UNFINISHED = '.awq-partial'

/** The most that one system call is asked to write. */
const LARGEST_WRITE = 2 ** 28

const onDisk = async <T>(path: string, work: () => Promise<T>): Promise<T> => {
  try {
    return await work()
  } catch (cause) {
    throw AwqError.is(cause) ? cause : diskError(path, cause)
  }
}

/** Removes the folders that were made for `path`, from itself up to `first`, as far as they are empty. */
const removeMade = async (path: string, first: string | undefined): Promise<void> => {
  if (first === undefined) return
  for (let folder = path; folder.length >= first.length; folder = dirname(folder))
    if (
      !(await rmdir(folder).then(
        () => true,
        () => false,
      ))
    )
      return
}

/** Removes what a commit that was cut short had moved; after its last one, the removal of the hidden folder was missing. */
const removeHalf = async (root: string): Promise<void> => {
  const work = join(root, WRITING)
  const names = movedNames(await readFile(join(work, COMMIT), 'utf8').catch(() => ''))
  const there = new Set(await readdir(root))
  if (names.length > 0 && !there.has(names.at(-1)!))
    for (const name of names) await rm(join(root, name), { recursive: true, force: true })
  await rm(work, { recursive: true, force: true })
}

/** What it says of a folder is on the disk too; not all systems can. */
const syncFolder = async (path: string): Promise<void> => {
  const handle = await open(path, 'r').catch(() => undefined)
  await handle?.sync().catch(() => {})
  await handle?.close()
}

/** @throws AwqError EXISTS naming what the folder holds */
const refuseContents = (path: string, names: readonly string[]): void => {
  const foreign = names.filter((name) => ![WRITING, LOCK, 'lost+found'].includes(name))
  if (foreign.length === 0) return
  const holds = foreign.includes(UNFINISHED)
    ? 'an unfinished quantization'
    : foreign.slice(0, 3).join(', ') + (foreign.length > 3 ? ', …' : '')
  throw new AwqError('EXISTS', `${path} is not empty (it holds ${holds}); choose a new output folder or empty this one`)
}

/**
 * Opens an output folder, which is made if it does not exist and must be empty if it does. One process at a time has it
 * open; what one that was killed had written is removed.
 * @throws AwqError EXISTS when it holds something or another process is writing there, IO when the disk refuses
 */
export const openFolderWriter = async (path: string): Promise<FolderWriter> => {
  const root = resolve(path)
  const made = await onDisk(path, () => mkdir(root, { recursive: true }))
  const unlock = await onDisk(path, () => lockFolder(root)).catch(async (error: unknown) => {
    await removeMade(root, made)
    throw error
  })
  const work = join(root, WRITING)
  const release = async () => {
    await rm(work, { recursive: true, force: true })
    await unlock()
  }
  try {
    await onDisk(path, async () => {
      await removeHalf(root)
      refuseContents(path, await readdir(root))
      await mkdir(work)
    })
  } catch (error) {
    await unlock()
    await removeMade(root, made)
    throw error
  }
  return diskWriter(path, root, release, () => removeMade(root, made))
}

const diskWriter = (
  name: string,
  root: string,
  release: () => Promise<void>,
  removeRoot: () => Promise<void>,
): FolderWriter => {
  const work = join(root, WRITING)
  const taken = new Set<string>()
  const files = new Map<string, number>()
  const handles = new Set<FileHandle>()
  /** Bytes that open files will still take: a file of a size that nothing was written to takes no room yet. */
  let promised = 0
  let open = true
  /** What a commit has moved. */
  const moved: string[] = []
  const closeAll = async () => {
    for (const handle of handles) await handle.close().catch(() => {})
    handles.clear()
  }
  const create = async (file: string, size: number): Promise<FileHandle> => {
    if (!open) throw new AwqError('INVALID_ARGUMENT', `${name} is closed; ${file} can not be written`)
    claimFile(name, taken, file)
    const free = await freeBytes(root)
    if (free !== undefined && promised + size > free) throw diskFull(name, promised + size, free)
    const handle = await onDisk(join(name, file), async () => {
      await mkdir(dirname(join(work, file)), { recursive: true })
      return await openNew(join(work, file))
    })
    handles.add(handle)
    files.set(file, size)
    promised += size
    await onDisk(join(name, file), () => handle.truncate(size))
    return handle
  }
  const createFile = async (file: string, size: number): Promise<FileWriter> => {
    const handle = await create(file, size)
    return {
      async write(offset, bytes) {
        checkPlace(`${name}/${file}`, size, offset, bytes.length)
        await writeAll(handle, offset, bytes).catch(async (cause: { code?: unknown }) => {
          if (cause.code === 'ENOSPC') throw diskFull(name, promised, await freeBytes(root), cause)
          throw diskError(join(name, file), cause)
        })
        promised -= bytes.length
      },
      async close() {
        if (!handles.delete(handle)) return
        await onDisk(join(name, file), () => handle.datasync())
        await handle.close()
      },
    }
  }
  return {
    name,
    createFile,
    async writeText(file, text) {
      const bytes = new TextEncoder().encode(text)
      const writer = await createFile(file, bytes.length)
      await writer.write(0, bytes)
      await writer.close()
    },
    async linkFile(file, existing) {
      const size = files.get(existing)
      if (size === undefined) throw new AwqError('NOT_FOUND', `${name} has no file ${existing} to link ${file} to`)
      claimFile(name, taken, file)
      const [from, to] = [join(work, existing), join(work, file)]
      const copied = await onDisk(join(name, file), async () => {
        await mkdir(dirname(to), { recursive: true })
        return await link(from, to).then(
          () => false,
          // Not all file systems have second names.
          async () => {
            const free = await freeBytes(root)
            if (free !== undefined && promised + size > free) throw diskFull(name, promised + size, free)
            await copyFile(from, to)
            return true
          },
        )
      })
      files.set(file, copied ? size : 0)
    },
    async hashes(options) {
      const hashes: Record<string, string> = {}
      for (const file of files.keys()) hashes[file] = await hashFile(join(work, file), options)
      return hashes
    },
    async commit() {
      await closeAll()
      const tops = [...files.keys()].map((file) => file.split('/')[0]!)
      // A folder moves as a whole, so by its last file; the last of all is the one a reader looks for.
      const order = [...new Set(tops.toReversed())].toReversed()
      await onDisk(name, async () => {
        const commit = await openNew(join(work, COMMIT))
        await commit.writeFile(JSON.stringify({ names: order })).finally(() => commit.close())
        await syncFolder(work)
        for (const top of order) {
          await rename(join(work, top), join(root, top))
          moved.push(top)
        }
        await syncFolder(root)
      })
      open = false
      await release()
      return [...files.values()].reduce((sum, size) => sum + size, 0)
    },
    async discard() {
      if (!open) return
      open = false
      await closeAll()
      for (const top of moved) await rm(join(root, top), { recursive: true, force: true })
      await release()
      await removeRoot()
    },
  }
}

const openNew = (path: string): Promise<FileHandle> => open(path, 'wx+')

const writeAll = async (handle: FileHandle, offset: number, bytes: Uint8Array): Promise<void> => {
  // A write may take fewer bytes than it is given.
  for (let done = 0; done < bytes.length; ) {
    const length = Math.min(LARGEST_WRITE, bytes.length - done)
    done += (await handle.write(bytes, done, length, offset + done)).bytesWritten
  }
}

/** SHA-256 of a file on disk, in hexadecimal. */
export const hashFile = async (path: string, options?: Parameters<Sha256>[1]): Promise<string> => {
  const source = await fileSource(path)
  try {
    return await sha256(source, options)
  } finally {
    await source.close?.()
  }
}
