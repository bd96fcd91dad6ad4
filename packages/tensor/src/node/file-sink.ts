import { randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { ByteSink } from '../safetensors-write.ts'
import { fileError } from './file-error.ts'

/**
 * A sink that writes a file under a temporary name beside it, and on `close` flushes it to the disk and renames it; so
 * the file is whole or not there. `abort` removes the temporary file. Throws IO for what the system refuses.
 */
export async function fileSink(path: string): Promise<Required<ByteSink>> {
  const target = resolve(path)
  const temporary = `${target}.${randomUUID().slice(0, 8)}.partial`
  const attempt = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      throw fileError(path, error)
    })
  const handle = await attempt(open(temporary, 'wx'))
  return {
    async write(bytes) {
      // FileHandle.write may write less than it is given.
      for (let done = 0; done < bytes.length; ) {
        done += (await attempt(handle.write(bytes, done, Math.min(bytes.length - done, 2 ** 30)))).bytesWritten
      }
    },
    async close() {
      await attempt(handle.sync())
      await attempt(handle.close())
      await attempt(rename(temporary, target))
      await syncFolder(dirname(target))
    },
    async abort() {
      await handle.close().catch(() => undefined)
      await rm(temporary, { force: true }).catch(() => undefined)
    },
  }
}

/** Makes a rename durable. Windows cannot flush a folder, and needs not. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r').catch(() => undefined)
  await handle?.sync().catch(() => undefined)
  await handle?.close()
}
