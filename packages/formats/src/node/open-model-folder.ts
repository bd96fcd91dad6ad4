/**
 * Finds the model that a reference names, be it a folder, one file or an id of the hub.
 * @module
 */
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { AwqError, type Folder, quoted, readSourceText } from '@awq/tensor'
import { fileSource, type HubOptions, resolveModel } from '@awq/tensor/node'

/** A folder with one file in it, wherever that lies. */
const folderOfFile = (path: string): Folder => {
  const only = basename(path)
  const open = (file: string) => {
    if (file === only) return fileSource(path)
    throw new AwqError('NOT_FOUND', `${path} is one file: there is no ${quoted(file)} beside it`)
  }
  return {
    name: path,
    list: async () => [only],
    has: async (file) => file === only,
    open: async (file) => open(file),
    async readText(file, options) {
      const source = await open(file)
      try {
        return await readSourceText(source, options?.maxBytes)
      } finally {
        await source.close?.()
      }
    },
  }
}

/**
 * The folder of a model: as `resolveModel` finds it, and for a path to one file (`model.gguf`) a folder with that file
 * alone.
 * @throws AwqError as `resolveModel`
 */
export const openModelFolder = async (reference: string, options: HubOptions = {}): Promise<Folder> => {
  const status = await stat(reference).catch(() => undefined)
  return status?.isFile() ? folderOfFile(reference) : await resolveModel(reference, options)
}
