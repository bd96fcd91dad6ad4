/**
 * How a model sees, carried into its quantized store: the tensors of vision tower and projector, not quantized.
 * @module
 */
import type { StoreEntry, StoreWriter } from '@awq/quantize'
import { AwqError, fromFloat32, readFloat32, type TensorEntry } from '@awq/tensor'
import { denseEntry } from './layout.ts'
import type { SourceModel } from './source-model.ts'
import { denseType } from './tables.ts'

/** The tensors of tower and projector, where the checkpoint has all of them; of others it is the language model alone. */
export const visionTensors = ({
  checkpoint,
  description,
}: Pick<SourceModel, 'checkpoint' | 'description'>): TensorEntry[] => {
  const found = (description.vision?.parameters ?? []).map(({ name }) => checkpoint.tensors.get(name))
  return found.every((entry) => entry !== undefined) ? found : []
}

/** Matrices in 16 bits, vectors as they are needed. */
const typeOf = ({ dtype, shape }: TensorEntry) => (shape.length > 1 ? denseType(dtype) : 'F32')

/** The store's entries of these tensors. */
export const visionEntries = (model: Pick<SourceModel, 'checkpoint' | 'description'>): StoreEntry[] =>
  visionTensors(model).map((entry) => denseEntry(entry.name, typeOf(entry), entry.shape))

/**
 * Writes them.
 * @throws AwqError `NUMERIC` naming the tensor that is not finite, or too large for float16
 */
export const writeVision = async (
  model: Pick<SourceModel, 'checkpoint' | 'description'>,
  store: StoreWriter,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<void> => {
  for (const entry of visionTensors(model)) {
    options.signal?.throwIfAborted()
    const values = await readFloat32(entry, options)
    const dtype = typeOf(entry)
    const most = dtype === 'F16' ? 65504 : Number.MAX_VALUE
    const bad = values.find((value) => !(Math.abs(value) <= most))
    if (bad !== undefined)
      throw new AwqError('NUMERIC', `${entry.name} holds ${bad}, which ${dtype} does not; the checkpoint is damaged`)
    await store.write(entry.name, fromFloat32(values, dtype))
  }
}
