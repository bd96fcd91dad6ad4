import { INDEX_FILE, type StorePlan } from '../store/plan.ts'
import { type StoreWriter, type WriteStoreOptions, writeStore } from '../store/writer.ts'
import { directorySink } from './directory-sink.ts'
import { writeSmallFile } from './small-file.ts'

/**
 * Creates the files of a store in a folder of the origin's private file system, or opens those of an interrupted run
 * (`keep`). The index is written too when there are several files; the manifest is the caller's to write, last. In Workers
 * only.
 * @throws AwqError IO when the storage has too little room, before anything is written, or another tab has a file open;
 *   INVALID_FILE when kept files belong to another plan
 */
export async function createDirectoryStore(
  directory: FileSystemDirectoryHandle,
  plan: StorePlan,
  options: WriteStoreOptions = {},
): Promise<StoreWriter> {
  const sink = await directorySink(directory, plan, (options.keep ?? false) !== false)
  try {
    const writer = await writeStore(plan, sink, options)
    if (plan.index !== null) await writeSmallFile(directory, INDEX_FILE, [plan.index])
    return writer
  } catch (error) {
    await sink.close()
    throw error
  }
}
