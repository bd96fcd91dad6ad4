/**
 * Files of the origin's private file system, open for reading and writing at any place. A Worker alone may open them.
 * @module
 */
import { AwqError } from '@awq/tensor'
import { storageError } from '@awq/tensor/browser'
import { fileHandle } from './directory.ts'

/** The handle that browsers give (FileSystemSyncAccessHandle). Nobody else has the file open meanwhile. */
export interface SyncFile {
  read(into: Uint8Array, options: { readonly at: number }): number
  write(bytes: Uint8Array, options: { readonly at: number }): number
  truncate(size: number): void
  getSize(): number
  flush(): void
  close(): void
}

interface SyncFileHandle {
  readonly createSyncAccessHandle?: () => Promise<SyncFile>
}

/** What a tab that was just closed had open stays locked for a moment: how long to wait for it, in milliseconds. */
const PATIENCE = 3000

/** Whether this thread can open files for writing at any place. */
export const hasSyncFiles = (): boolean =>
  typeof FileSystemFileHandle !== 'undefined' && 'createSyncAccessHandle' in FileSystemFileHandle.prototype

/**
 * Opens a file of the private file system.
 * @param options.create makes it, and the folders above it, where it is not there
 * @throws AwqError UNSUPPORTED on a page's main thread; IO when it is not there, or another tab has it open
 */
export const openSyncFile = async (
  directory: FileSystemDirectoryHandle,
  path: string,
  options: { readonly create?: boolean } = {},
): Promise<SyncFile> => {
  if (!hasSyncFiles())
    throw new AwqError(
      'UNSUPPORTED',
      `${path} can not be opened here: browsers open files for writing at any place in Workers only`,
    )
  const started = performance.now()
  for (;;) {
    try {
      const handle = (await fileHandle(directory, path, options)) as SyncFileHandle
      return await handle.createSyncAccessHandle!()
    } catch (cause) {
      const locked = (cause as { name?: unknown }).name === 'NoModificationAllowedError'
      if (!locked || performance.now() - started > PATIENCE) throw await storageError(path, cause)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

/** Writes all of `bytes`; a single call may take fewer. */
export const writeFully = (file: SyncFile, bytes: Uint8Array, at: number): void => {
  for (let done = 0; done < bytes.length; ) {
    const written = file.write(bytes.subarray(done), { at: at + done })
    if (written === 0) throw new DOMException('no byte could be written', 'QuotaExceededError')
    done += written
  }
}
