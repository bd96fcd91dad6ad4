/**
 * The float model that is quantized: folder, description and checkpoint.
 * @module
 */
import { floatFolder, openPortable, type PortableModel, recogniseFormat } from '@awq/formats'
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

/** Formats whose weights are where they belong: the others are read through `floatFolder`. */
export const OWN_FORMATS: readonly string[] = ['awq', 'float']

/**
 * A model of another format than ours and Hugging Face's float one; undefined for those and for what no format recognises.
 * @throws AwqError UNSUPPORTED when its weights have fewer than 8 bits: rounding them again would lose twice
 */
const openForeign = async (folder: Folder, options: ModelReferenceOptions): Promise<PortableModel | undefined> => {
  const format = await recogniseFormat(folder)
  if (!format || OWN_FORMATS.includes(format.name)) return undefined
  const { signal, onProgress } = options
  const onWarning = (message: string) => onProgress?.({ type: 'warning', message })
  const model = await openPortable(folder, { signal, onWarning })
  const bits = [...model.parameters.values()].flatMap((found) => (found.kind === 'quantized' ? [found.spec.bits] : []))
  if (bits.length === 0) return model
  if (Math.min(...bits) === 8) {
    onWarning(`${folder.name} has weights of 8 bits: what was lost in them stays lost`)
    return model
  }
  await model[Symbol.asyncDispose]()
  throw new AwqError(
    'UNSUPPORTED',
    `${folder.name} is quantized already (${format.name}, ${Math.min(...bits)} bits): quantize its float checkpoint ` +
      'instead, or take it as it is by awq convert',
  )
}

/**
 * Opens a float model: a Hugging Face checkpoint, or a folder of any format that holds float weights.
 * @throws AwqError when there is no config.json, the architecture is unknown, the folder holds a quantized model, or
 * the checkpoint lacks a parameter
 */
export const openSource = async (model: Folder | string, options: ModelReferenceOptions): Promise<SourceModel> => {
  const given = await openFolderOf(model, options)
  const foreign = await openForeign(given, options)
  try {
    const folder = foreign ? floatFolder(foreign) : given
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
      async [Symbol.asyncDispose]() {
        await checkpoint.close()
        await foreign?.[Symbol.asyncDispose]()
      },
    }
  } catch (error) {
    await foreign?.[Symbol.asyncDispose]()
    throw error
  }
}
