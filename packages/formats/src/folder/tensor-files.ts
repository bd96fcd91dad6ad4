/**
 * Safetensors files of a model in the making.
 * @module
 */
import { INDEX_FILE, planStore, type StoreEntry, type StorePlan, type StoreWriter, writeStore } from '@awq/quantize'
import { byteLength } from '@awq/tensor'
import type { FileWriter, FolderWriter } from './writer.ts'

/** Files of at most 1 GiB, because browsers load them whole; a single tensor that is larger gets a file that fits it. */
const fileLimit = (entries: readonly StoreEntry[]): number =>
  Math.max(2 ** 30, ...entries.map(({ dtype, shape }) => byteLength(dtype, shape) + 2 ** 16))

/**
 * Plans and creates `model.safetensors`, or shards with their index, for these tensors; every tensor must then be written,
 * whole or in pieces that follow each other, and `finish` called.
 * @param options.maxFileBytes default 1 GiB
 * @throws AwqError INVALID_ARGUMENT for names that repeat, IO when the disk has too little room
 */
export const openTensorFiles = async (
  into: FolderWriter,
  entries: readonly StoreEntry[],
  options: { readonly maxFileBytes?: number | undefined } = {},
): Promise<StoreWriter> => {
  const plan = planStore(entries, { maxFileBytes: options.maxFileBytes ?? fileLimit(entries) })
  if (plan.index !== null) await into.writeText(INDEX_FILE, plan.index)
  return await openPlannedFiles(into, plan)
}

/** Creates the files of a plan, with `directory` in front of their names; then as `openTensorFiles`. */
export const openPlannedFiles = async (into: FolderWriter, plan: StorePlan, directory = ''): Promise<StoreWriter> => {
  const files = new Map<string, FileWriter>()
  for (const { name, size } of plan.files) files.set(name, await into.createFile(`${directory}${name}`, size))
  return await writeStore(plan, {
    name: into.name,
    write: (file, offset, bytes) => files.get(file)!.write(offset, bytes),
    async flush() {},
    async close() {
      for (const file of files.values()) await file.close()
    },
  })
}
