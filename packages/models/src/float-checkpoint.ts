/**
 * Opens the float checkpoint of a folder as its description has it.
 * @module
 */
import { type Checkpoint, type Folder, openCheckpoint } from '@awq/tensor'
import { alignCheckpoint } from './align-checkpoint.ts'
import type { ModelDescription } from './describe.ts'
import { checkParameters } from './float-weights.ts'

/** A float checkpoint as its description has it. */
export interface FloatCheckpoint extends Checkpoint {
  /** Of all tensors in its files, in the types that these hold them in. */
  readonly storedBytes: number
}

/**
 * The checkpoint with its tensors under the description's names (`alignCheckpoint`), all parameters there with their shapes,
 * and nothing in the blocks that would be ignored. Only headers are read.
 * @throws AwqError as `openCheckpoint` and `checkParameters`; nothing stays open then
 */
export const openFloatCheckpoint = async (
  folder: Folder,
  description: ModelDescription,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<FloatCheckpoint> => {
  const opened = await openCheckpoint(folder, options)
  try {
    const checkpoint = alignCheckpoint(opened, description)
    checkParameters(checkpoint, description)
    const storedBytes = [...opened.tensors.values()].reduce((sum, { length }) => sum + length, 0)
    return { ...checkpoint, storedBytes }
  } catch (error) {
    await opened.close()
    throw error
  }
}
