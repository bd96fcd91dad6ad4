/**
 * A folder in which tensors that are computed when they are read look like files of their own.
 * @module
 */
import { AwqError, type ByteSource, type Checkpoint, type Folder } from '@awq/tensor'
import type { DecodedEntry } from './float8-checkpoint.ts'

const sourceOf = (entry: DecodedEntry): ByteSource => {
  const read: ByteSource['read'] = async (offset, length, options = {}) => {
    if (offset < 0 || length < 0 || offset + length > entry.length)
      throw new AwqError('INVALID_ARGUMENT', `${entry.file} has ${entry.length} bytes, not ${offset + length}`)
    const rowBytes = entry.length / entry.shape[0]!
    const first = Math.floor(offset / rowBytes)
    const rows = [first, Math.ceil((offset + length) / rowBytes)] as const
    const bytes = await entry.read({ ...options, rows })
    return bytes.subarray(offset - first * rowBytes, offset - first * rowBytes + length)
  }
  return {
    name: entry.file,
    size: entry.length,
    read,
    // Bytes in a Blob are the browser's, which may put them on its disk, and no longer JavaScript's.
    blob: async (offset, length, options) =>
      new Blob([(await read(offset, length, { signal: options?.signal })) as Uint8Array<ArrayBuffer>]),
  }
}

/**
 * The folder with the checkpoint's decoded tensors among its files: whoever links weights by file and offset reaches them
 * by their bytes. It says of no file where it lies, so that engines are handed bytes. Without such tensors it is the
 * folder itself.
 */
export const decodedFolder = (folder: Folder, checkpoint: Checkpoint): Folder => {
  const decoded = new Map<string, DecodedEntry>()
  for (const entry of checkpoint.tensors.values())
    if ('decoded' in entry) decoded.set(entry.file, entry as DecodedEntry)
  if (decoded.size === 0) return folder
  const { locate: _, ...rest } = folder
  return {
    ...rest,
    open: async (file) => {
      const entry = decoded.get(file)
      return entry ? sourceOf(entry) : await folder.open(file)
    },
  }
}
