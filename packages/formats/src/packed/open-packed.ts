/**
 * The frame of every reader of packed checkpoints: what is opened, what a model has beside its parameters, what is closed.
 * @module
 */
import type { ModelDescription } from '@awq/models'
import { type Checkpoint, type Folder, openCheckpoint } from '@awq/tensor'
import { folderCompanions } from '../folder/companions.ts'
import { describeConfig, type JsonObject } from '../folder/config.ts'
import type { Parameter, PortableModel, ReadOptions } from '../model.ts'
import { sourceOf } from '../provenance.ts'
import { type Float16Scales, float16Scales } from './float16-scales.ts'

/** What parameters are made of. */
export interface OpenedPacked {
  readonly description: ModelDescription
  readonly checkpoint: Checkpoint
  readonly scales: Float16Scales
}

/**
 * Opens a folder whose config.json was read; `parametersOf` says what is in it. The checkpoint is closed when that fails, and with
 * the model otherwise.
 */
export const openPacked = async (
  { folder, format, config }: { readonly folder: Folder; readonly format: string; readonly config: JsonObject },
  options: ReadOptions,
  parametersOf: (opened: OpenedPacked) => Promise<Map<string, Parameter>>,
): Promise<PortableModel> => {
  const description = describeConfig(config, `${folder.name}/config.json`)
  const checkpoint = await openCheckpoint(folder, options)
  const scales = float16Scales(options)
  try {
    return {
      name: folder.name,
      format,
      config,
      description,
      parameters: await parametersOf({ description, checkpoint, scales }),
      companions: await folderCompanions(folder),
      provenance: { method: format, folded: [], calibration: null, source: sourceOf(folder, description) },
      async [Symbol.asyncDispose]() {
        scales.report()
        await checkpoint.close()
      },
    }
  } catch (error) {
    await checkpoint.close()
    throw error
  }
}
