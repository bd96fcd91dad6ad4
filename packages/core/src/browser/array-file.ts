/**
 * Float arrays in a file of the private file system.
 * @module
 */
import { moveFile, openSyncFile, writeFully } from '@awq/quantize/browser'
import { AwqError, bytesOf } from '@awq/tensor'
import { onStorage } from '@awq/tensor/browser'
import type { ArrayWriter } from '../workspace.ts'

/** Begins a file that takes the place of the one of that name when it is whole. */
export const writeArrayFile = async (directory: FileSystemDirectoryHandle, name: string): Promise<ArrayWriter> => {
  const file = await openSyncFile(directory, `${name}.new`, { create: true })
  await onStorage(name, () => file.truncate(0))
  let size = 0
  let open = true
  let failure: unknown
  const close = async () => {
    if (open) file.close()
    open = false
  }
  return {
    append(values) {
      if (failure !== undefined) return
      try {
        writeFully(file, bytesOf(values), size)
        size += values.byteLength
      } catch (error) {
        failure = error // Told by `finish`.
      }
    },
    async finish() {
      await onStorage(name, () => {
        if (failure !== undefined) throw failure
        file.flush()
      })
      await close()
      await onStorage(name, () => moveFile(directory, `${name}.new`, directory, name))
    },
    [Symbol.asyncDispose]: close,
  }
}

/**
 * Fills arrays with the values of a file, one after the other.
 * @throws AwqError `INVALID_FILE` when it holds more or less than they take
 */
export const readArrayFile = async (
  directory: FileSystemDirectoryHandle,
  name: string,
  into: readonly Float32Array[],
): Promise<void> => {
  const needed = into.reduce((sum, { byteLength }) => sum + byteLength, 0)
  const file = await openSyncFile(directory, name)
  try {
    const size = file.getSize()
    if (size !== needed)
      throw new AwqError('INVALID_FILE', `${name}: ${size} bytes where ${needed} are needed; start over`)
    let at = 0
    for (const array of into) {
      const bytes = bytesOf(array)
      for (let done = 0; done < bytes.length; ) {
        const read = file.read(bytes.subarray(done), { at: at + done })
        if (read === 0) throw new AwqError('INVALID_FILE', `${name} became shorter while it was read; start over`)
        done += read
      }
      at += bytes.length
    }
  } finally {
    file.close()
  }
}
