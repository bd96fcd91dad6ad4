import { onStorage } from '@awq/tensor/browser'
import { openSyncFile, writeFully } from './sync-file.ts'

/**
 * Writes a file of the private file system so that it is on the disk when the promise resolves: in the place of what was
 * there, or behind it. In Workers only.
 */
export const writeSmallFile = async (
  directory: FileSystemDirectoryHandle,
  path: string,
  parts: readonly (Uint8Array | string)[],
  options: { readonly append?: boolean } = {},
): Promise<void> => {
  const file = await openSyncFile(directory, path, { create: true })
  try {
    await onStorage(path, () => {
      if (!options.append) file.truncate(0)
      for (const part of parts)
        writeFully(file, typeof part === 'string' ? new TextEncoder().encode(part) : part, file.getSize())
      file.flush()
    })
  } finally {
    file.close()
  }
}
