/**
 * An output folder in the origin's private file system.
 * @module
 */
import {
  copyFile,
  fileHandle,
  findFile,
  openSyncFile,
  removePath,
  writeFully,
  writeSmallFile,
} from '@awq/quantize/browser'
import { AwqError } from '@awq/tensor'
import { onStorage } from '@awq/tensor/browser'
import { checkPlace, claimFile, type FolderWriter } from '../folder/writer.ts'
import { hashBlob } from './hash-blob.ts'

/**
 * Writes into a folder of the private file system, which must be empty. In Workers only. Files have their final names from
 * the beginning: whoever wants a folder that appears whole gives one that nobody looks at, and moves its files.
 */
export const directoryWriter = (directory: FileSystemDirectoryHandle, name = directory.name): FolderWriter => {
  const taken = new Set<string>()
  const files: string[] = []
  const claim = (file: string) => {
    claimFile(name, taken, file)
    files.push(file)
  }
  return {
    name,
    async writeText(file, text) {
      claim(file)
      await writeSmallFile(directory, file, [text])
    },
    async createFile(file, size) {
      claim(file)
      const opened = await openSyncFile(directory, file, { create: true })
      let open = true
      const close = () => {
        if (open) opened.close()
        open = false
      }
      try {
        await onStorage(`${name}/${file}`, () => opened.truncate(size))
      } catch (error) {
        close()
        throw error
      }
      return {
        async write(offset, bytes) {
          checkPlace(`${name}/${file}`, size, offset, bytes.length)
          await onStorage(`${name}/${file}`, () => writeFully(opened, bytes, offset))
        },
        async close() {
          if (open) await onStorage(`${name}/${file}`, () => opened.flush())
          close()
        },
      }
    },
    async linkFile(file, existing) {
      if (!files.includes(existing))
        throw new AwqError('NOT_FOUND', `${name} has no file ${existing} to link ${file} to`)
      claim(file)
      // This file system has no second names.
      await onStorage(`${name}/${file}`, async () => copyFile(await fileHandle(directory, existing), directory, file))
    },
    async hashes(options) {
      const hashes: Record<string, string> = {}
      for (const file of files) hashes[file] = await hashBlob((await findFile(directory, file))!, options)
      return hashes
    },
    async commit() {
      let bytes = 0
      for (const file of files) bytes += (await findFile(directory, file))?.size ?? 0
      return bytes
    },
    async discard() {
      for (const file of files) await removePath(directory, file)
    },
  }
}
