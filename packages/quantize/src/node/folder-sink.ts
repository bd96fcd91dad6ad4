import { type FileHandle, open, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { AwqError } from '@awq/tensor'
import type { StorePlan } from '../store/plan.ts'
import type { StoreSink } from '../store/sink.ts'
import { diskError, diskFull } from './disk-error.ts'

/** The most that one system call is asked to write. */
const LARGEST_WRITE = 2 ** 28

/**
 * Opens the files of a plan in a folder, which must exist, for writing at any offset. New files get their final size
 * at once (sparse, where the file system can); `keep` leaves the bytes of files that are there.
 * @throws AwqError IO when the disk has too little room (it says how much is needed and free) or refuses, INVALID_FILE
 *   for kept files that belong to another plan
 */
export async function folderSink(directory: string, plan: StorePlan, keep: boolean): Promise<StoreSink> {
  await checkSpace(directory, plan)
  const handles = new Map<string, FileHandle>()
  const changed = new Set<string>()
  const close = async (): Promise<void> => {
    const open = [...handles.values()]
    handles.clear()
    await Promise.all(open.map((handle) => handle.close()))
  }
  const attempt = async <T>(path: string, needed: number, work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (cause) {
      if (AwqError.is(cause)) throw cause
      if ((cause as { code?: unknown }).code !== 'ENOSPC') throw diskError(path, cause)
      throw diskFull(directory, needed, await freeBytes(directory), cause)
    }
  }
  try {
    for (const file of plan.files) {
      const path = join(directory, file.name)
      const handle = await attempt(path, file.size, () => openFile(path, file, keep))
      handles.set(file.name, handle)
    }
  } catch (error) {
    await close()
    throw error
  }
  return {
    name: directory,
    async write(file, offset, bytes) {
      const handle = handles.get(file)
      if (handle === undefined) throw new AwqError('INVALID_ARGUMENT', `${directory}: ${file} is not open`)
      changed.add(file)
      await attempt(join(directory, file), bytes.length, async () => {
        // A write may take fewer bytes than it is given.
        for (let done = 0; done < bytes.length; ) {
          const length = Math.min(LARGEST_WRITE, bytes.length - done)
          done += (await handle.write(bytes, done, length, offset + done)).bytesWritten
        }
      })
    },
    async flush() {
      for (const [file, handle] of handles) {
        // Forgotten before the wait: what is written meanwhile counts for the next flush.
        if (changed.delete(file)) await attempt(join(directory, file), 0, () => handle.datasync())
      }
    },
    close,
  }
}

async function openFile(path: string, file: StorePlan['files'][number], keep: boolean): Promise<FileHandle> {
  // 'r+' fails where there is no file, 'w' empties one: a kept store must be there and stay.
  const handle = await open(path, keep ? 'r+' : 'w')
  try {
    if (keep) await checkKept(handle, path, file)
    else await handle.truncate(file.size)
    return handle
  } catch (error) {
    await handle.close()
    throw error
  }
}

async function checkKept(handle: FileHandle, path: string, file: StorePlan['files'][number]): Promise<void> {
  const { size } = await handle.stat()
  const header = new Uint8Array(file.header.length)
  await handle.read(header, 0, header.length, 0)
  if (size !== file.size || header.some((byte, index) => byte !== file.header[index])) {
    throw new AwqError(
      'INVALID_FILE',
      `${path} belongs to a run with other options or another model; remove it, or start over without resuming`,
    )
  }
}

async function checkSpace(directory: string, plan: StorePlan): Promise<void> {
  let needed = plan.bytes
  for (const { name, size } of plan.files) {
    const existing = await stat(join(directory, name)).catch(() => undefined)
    // Blocks, not size: a sparse file of an interrupted run has its size but not yet its room. Files that are not kept
    // are emptied, which frees theirs.
    if (existing !== undefined) needed -= Math.min(size, existing.blocks * 512)
  }
  const free = await freeBytes(directory)
  if (free !== undefined && needed > free) throw diskFull(directory, needed, free)
}

/** Bytes this user may still write to the disk of a folder; undefined where the system does not say. */
export async function freeBytes(directory: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(directory)
    return bavail * bsize
  } catch {
    return undefined
  }
}
