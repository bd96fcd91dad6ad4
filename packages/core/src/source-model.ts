/**
 * The float model that is quantized: folder, description and checkpoint.
 * @module
 */
import { describeModel, type ModelDescription, openFloatCheckpoint, readModelConfig } from '@awq/models'
import { MANIFEST_FILE } from '@awq/quantize'
import { AwqError, type Checkpoint, type Folder } from '@awq/tensor'
import { resolveFolder } from '#platform'
import type { OnProgress } from './progress.ts'

/** A float model, its parameters checked but not read. */
export interface SourceModel extends AsyncDisposable {
  readonly folder: Folder
  /** The text of config.json. */
  readonly configText: string
  readonly description: ModelDescription
  readonly checkpoint: Checkpoint
  /** Bytes of all tensors of the checkpoint. */
  readonly bytes: number
}

/** Options for models named by a path or a hub id. */
export interface ModelReferenceOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
}

/** A folder given as such, by path or by hub id. */
export const openFolderOf = async (model: Folder | string, options: ModelReferenceOptions): Promise<Folder> => {
  if (typeof model !== 'string') return model
  const { onProgress, signal } = options
  return resolveFolder(model, {
    signal,
    onProgress: ({ file, loaded, total }) =>
      onProgress?.({ type: 'progress', stage: 'download', completed: loaded, total, message: file }),
  })
}

/**
 * Opens a float model.
 * @throws AwqError when there is no config.json, the architecture is unknown, the folder holds a quantized model, or
 * the checkpoint lacks a parameter
 */
export const openSource = async (model: Folder | string, options: ModelReferenceOptions): Promise<SourceModel> => {
  const folder = await openFolderOf(model, options)
  const { text, json } = await readModelConfig(folder)
  if (await folder.has(MANIFEST_FILE))
    throw new AwqError('UNSUPPORTED', `${folder.name} is quantized already; quantize its float checkpoint instead`)
  const description = describeModel(json)
  const checkpoint = await openFloatCheckpoint(folder, description, options)
  return {
    folder,
    configText: text,
    description,
    checkpoint,
    bytes: checkpoint.storedBytes,
    [Symbol.asyncDispose]: () => checkpoint.close(),
  }
}
