/**
 * Finds the model that a reference names, be it a folder, one file or an id of the hub.
 * @module
 */
import { stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { type Folder, ggufSiblings, partOfFolder } from '@awq/tensor'
import { type HubOptions, openFolder, resolveModel } from '@awq/tensor/node'

/** A folder with one file in it, wherever that lies; with all pieces of a GGUF file where it is one of them. */
const folderOfFile = async (path: string): Promise<Folder> => {
  const around = await openFolder(dirname(path))
  return partOfFolder(around, path, ggufSiblings(basename(path), await around.list()))
}

/**
 * The folder of a model: as `resolveModel` finds it, and for a path to one file (`model.gguf`) a folder with that file
 * alone.
 * @throws AwqError as `resolveModel`
 */
export const openModelFolder = async (reference: string, options: HubOptions = {}): Promise<Folder> => {
  const status = await stat(reference).catch(() => undefined)
  return status?.isFile() ? await folderOfFile(reference) : await resolveModel(reference, options)
}
