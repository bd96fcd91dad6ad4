/**
 * Logits of a folder's model for token ids, without a tokenizer and without the whole model in memory.
 * @module
 */
import { checkIds, forwardLogits } from '@awq/models'
import { type EngineChoice, withEngine } from '@awq/ort'
import type { Folder } from '@awq/tensor'
import type { Accuracy } from './bindings.ts'
import { openModel } from './open-model.ts'

/** How logits are computed. */
export interface ModelLogitsOptions extends EngineChoice {
  /** `exact` (the default) or `fast` products of quantized matrices; float models are always exact. */
  readonly accuracy?: Accuracy | undefined
  /** Logits after every id instead of after the last one only. */
  readonly all?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * The logits that follow token ids: one pass over them as one sequence, positions from 0. Blocks are read, run and let
 * go one after the other, so only one is in memory at a time. The folder needs config.json and weights (a float
 * checkpoint or a quantized store), and no tokenizer.
 * @returns arrays of `[vocab]`: one per id with `all`, which are views of one buffer; else one, of the last position
 * @throws AwqError as `openModel`; INVALID_ARGUMENT for no ids, an id outside the vocabulary, or more ids than the
 * model's context; rejects with `signal.reason`
 */
export const modelLogits = async (
  folder: Folder,
  ids: readonly number[],
  options: ModelLogitsOptions = {},
): Promise<Float32Array[]> => {
  const { accuracy = 'exact', all = false, signal } = options
  signal?.throwIfAborted()
  return withEngine(options, async (engine) => {
    await using model = await openModel(folder, engine, { accuracy, signal })
    const { vocabSize } = model.description.config
    // Before the conversion to int32, which would make an id of a fraction or of what is too large.
    checkIds(ids, vocabSize)
    await using forward = model.forward()
    const data = (await forwardLogits(forward, Int32Array.from(ids), { all, signal })).data as Float32Array
    return Array.from({ length: data.length / vocabSize }, (_, row) =>
      data.subarray(row * vocabSize, (row + 1) * vocabSize),
    )
  })
}
