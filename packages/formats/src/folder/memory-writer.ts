/**
 * An output folder in memory.
 * @module
 */
import { AwqError, type Folder, memoryFolder, memorySource } from '@awq/tensor'
import { sha256 } from '#sha256'
import { checkPlace, claimFile, type FolderWriter } from './writer.ts'

/** A folder writer whose files stay in memory. */
export interface MemoryWriter extends FolderWriter {
  /** What was written, once it is committed. @throws AwqError NOT_FOUND before */
  folder(): Folder
}

/** An output folder in memory: for browsers, and for tests. */
export const memoryWriter = (name = 'memory'): MemoryWriter => {
  const files = new Map<string, Uint8Array<ArrayBuffer>>()
  const taken = new Set<string>()
  let done = false
  const add = (file: string, bytes: Uint8Array<ArrayBuffer>): Uint8Array => {
    claimFile(name, taken, file)
    files.set(file, bytes)
    return bytes
  }
  return {
    name,
    async writeText(file, text) {
      add(file, new TextEncoder().encode(text))
    },
    async createFile(file, size) {
      const content = add(file, new Uint8Array(size))
      return {
        async write(offset, bytes) {
          checkPlace(`${name}/${file}`, size, offset, bytes.length)
          content.set(bytes, offset)
        },
        async close() {},
      }
    },
    async linkFile(file, existing) {
      const bytes = files.get(existing)
      if (!bytes) throw new AwqError('NOT_FOUND', `${name} has no file ${existing} to link ${file} to`)
      add(file, bytes)
    },
    async hashes(options) {
      const hashes: Record<string, string> = {}
      for (const [file, bytes] of files) hashes[file] = await sha256(memorySource(bytes, file), options)
      return hashes
    },
    async commit() {
      done = true
      return [...files.values()].reduce((sum, { length }) => sum + length, 0)
    },
    async discard() {
      if (!done) files.clear()
    },
    folder() {
      if (!done) throw new AwqError('NOT_FOUND', `${name} is not committed`)
      return memoryFolder(Object.fromEntries(files), name)
    },
  }
}
