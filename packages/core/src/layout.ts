/**
 * Which tensors a quantized model's store holds.
 * @module
 */
import type { ModelDescription } from '@awq/models'
import { matrixEntries, type QuantSpec, type StoreEntry } from '@awq/quantize'
import type { DType } from '@awq/tensor'

/** Entry of a tensor that stays float. */
export const denseEntry = (name: string, dtype: DType, shape: readonly number[]): StoreEntry => ({ name, dtype, shape })

/**
 * Entries of one block: its linears quantized, siblings that read the same value adjacent, everything else float32
 * (folding changes norms and biases, so their stored precision must not be lower).
 */
export const blockEntries = (
  description: ModelDescription,
  specs: ReadonlyMap<string, QuantSpec>,
  layer: number,
): StoreEntry[] =>
  description.blockParameters.flatMap(({ name, shape }) => {
    const full = description.parameter(layer, name)
    const linear = description.linears.find((candidate) => `${candidate.name}.weight` === name)
    return linear
      ? matrixEntries(full, linear.shape, specs.get(linear.name)!, description.parameter(layer, linear.site))
      : [denseEntry(full, 'F32', shape)]
  })
