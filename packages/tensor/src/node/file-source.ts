import { open } from 'node:fs/promises'
import type { ByteSource } from '../byte-source.ts'
import { checkRange } from '../byte-source.ts'
import { AwqError } from '../error.ts'
import { fileError } from './file-error.ts'

/** The most bytes asked of the system at once; also how often a long read looks at its signal. */
const readBytes = 64 * 2 ** 20

/**
 * A source over a file. Reads are positional, so many may run at once. Throws NOT_FOUND, or IO for what the system
 * refuses; a read throws INVALID_FILE when the file has become shorter. Close it when done.
 */
export async function fileSource(path: string): Promise<ByteSource> {
  const handle = await open(path, 'r').catch((error: unknown) => {
    throw fileError(path, error)
  })
  const status = await handle.stat()
  if (!status.isFile()) {
    await handle.close()
    throw new AwqError('INVALID_ARGUMENT', `${path} is not a file`)
  }
  return {
    name: path,
    size: status.size,
    async read(offset, length, options) {
      options?.signal?.throwIfAborted()
      checkRange(path, status.size, offset, length)
      const bytes = new Uint8Array(length)
      let done = 0
      while (done < length) {
        const wanted = Math.min(readBytes, length - done)
        const { bytesRead } = await handle.read(bytes, done, wanted, offset + done).catch((error: unknown) => {
          throw fileError(path, error)
        })
        options?.signal?.throwIfAborted()
        if (bytesRead === 0) {
          throw new AwqError('INVALID_FILE', `${path} has become shorter than its ${status.size} bytes while in use`)
        }
        done += bytesRead
      }
      return bytes
    },
    close: () => handle.close(),
  }
}
