import { AwqError } from '@awq/tensor'
import { freeStorage, onStorage, storageFull } from '@awq/tensor/browser'
import type { StorePlan } from '../store/plan.ts'
import type { StoreSink } from '../store/sink.ts'
import { findFile } from './directory.ts'
import { openSyncFile, type SyncFile, writeFully } from './sync-file.ts'

/**
 * Opens the files of a plan in a folder of the origin's private file system, for writing at any offset. New files get
 * their final size at once; `keep` leaves the bytes of files that are there. In Workers only.
 * @throws AwqError IO when the storage has too little room (it says how much is needed and free) or another tab has a
 *   file open, INVALID_FILE for kept files that belong to another plan
 */
export async function directorySink(
  directory: FileSystemDirectoryHandle,
  plan: StorePlan,
  keep: boolean,
): Promise<StoreSink> {
  await checkSpace(directory, plan)
  const handles = new Map<string, SyncFile>()
  const changed = new Set<string>()
  const close = async (): Promise<void> => {
    for (const handle of handles.values()) handle.close()
    handles.clear()
  }
  try {
    for (const file of plan.files) {
      const handle = await openSyncFile(directory, file.name, { create: !keep })
      handles.set(file.name, handle)
      if (keep) checkKept(handle, file)
      else
        await onStorage(file.name, () => {
          handle.truncate(0)
          handle.truncate(file.size)
        })
    }
  } catch (error) {
    await close()
    throw error
  }
  return {
    name: directory.name,
    async write(file, offset, bytes) {
      const handle = handles.get(file)
      if (handle === undefined) throw new AwqError('INVALID_ARGUMENT', `${directory.name}: ${file} is not open`)
      changed.add(file)
      await onStorage(file, () => writeFully(handle, bytes, offset))
    },
    async flush() {
      for (const [file, handle] of handles) if (changed.delete(file)) await onStorage(file, () => handle.flush())
    },
    close,
  }
}

function checkKept(handle: SyncFile, { name, header, size }: StorePlan['files'][number]): void {
  const found = new Uint8Array(header.length)
  handle.read(found, { at: 0 })
  if (handle.getSize() !== size || found.some((byte, index) => byte !== header[index])) {
    throw new AwqError(
      'INVALID_FILE',
      `${name} belongs to a run with other options or another model; start over without resuming`,
    )
  }
}

async function checkSpace(directory: FileSystemDirectoryHandle, plan: StorePlan): Promise<void> {
  let needed = plan.bytes
  for (const { name, size } of plan.files) needed -= Math.min(size, (await findFile(directory, name))?.size ?? 0)
  const free = await freeStorage()
  if (free !== undefined && needed > free) throw storageFull(directory.name, needed, free)
}
