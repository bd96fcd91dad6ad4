/**
 * Float arrays in a file of their own, written while other work goes on.
 * @module
 */
import { open, rename } from 'node:fs/promises'
import { AwqError, bytesOf } from '@awq/tensor'
import type { ArrayWriter } from './workspace.ts'

/** Begins a file that takes the place of the one at `path` when it is whole. */
export const writeArrayFile = async (path: string): Promise<ArrayWriter> => {
  const file = await open(`${path}.new`, 'w')
  let last: Promise<unknown> = Promise.resolve()
  let closed = false
  const close = async () => {
    if (closed) return
    closed = true
    await last.catch(() => {})
    await file.close()
  }
  return {
    append(values) {
      last = last.then(() => file.writeFile(bytesOf(values)))
      // Told by `finish`; without this it would count as unhandled until then.
      last.catch(() => {})
    },
    async finish() {
      await last
      await file.datasync()
      await close()
      await rename(`${path}.new`, path)
    },
    [Symbol.asyncDispose]: close,
  }
}

/**
 * Fills arrays with the values of a file, one after the other.
 * @throws AwqError `INVALID_FILE` when it holds more or less than they take
 */
export const readArrayFile = async (path: string, into: readonly Float32Array[]): Promise<void> => {
  const needed = into.reduce((sum, { byteLength }) => sum + byteLength, 0)
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    if (size !== needed)
      throw new AwqError('INVALID_FILE', `${path}: ${size} bytes where ${needed} are needed; start over`)
    for (const array of into) {
      const bytes = bytesOf(array)
      for (let done = 0; done < bytes.length; ) {
        const { bytesRead } = await file.read(bytes, done, bytes.length - done)
        if (bytesRead === 0) throw new AwqError('INVALID_FILE', `${path} became shorter while it was read; start over`)
        done += bytesRead
      }
    }
  } finally {
    await file.close()
  }
}
