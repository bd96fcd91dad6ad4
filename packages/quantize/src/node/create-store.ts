import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { INDEX_FILE, type StorePlan } from '../store/plan.ts'
import { type StoreWriter, type WriteStoreOptions, writeStore } from '../store/writer.ts'
import { diskError } from './disk-error.ts'
import { folderSink } from './folder-sink.ts'

/**
 * Creates the files of a store in a folder (made if it is not there), or opens those of an interrupted run (`keep`).
 * The index is written too when there are several files; the manifest is the caller's to write, last.
 * @throws AwqError IO when the disk has too little room, before anything is written, or refuses; INVALID_FILE when kept
 *   files belong to another plan
 */
export async function createStore(
  directory: string,
  plan: StorePlan,
  options: WriteStoreOptions = {},
): Promise<StoreWriter> {
  const keep = options.keep ?? false
  try {
    await mkdir(directory, { recursive: true })
  } catch (cause) {
    throw diskError(directory, cause)
  }
  const sink = await folderSink(directory, plan, keep !== false)
  try {
    const writer = await writeStore(plan, sink, options)
    if (plan.index !== null) {
      const path = join(directory, INDEX_FILE)
      await writeFile(path, plan.index, { flush: true }).catch((cause: unknown) => {
        throw diskError(path, cause)
      })
    }
    return writer
  } catch (error) {
    await sink.close()
    throw error
  }
}
