/**
 * Which tensors a quantized model's store holds.
 * @module
 */
import type { ModelDescription } from '@awq/models'
import { matrixEntries, type QuantSpec, type StoreEntry } from '@awq/quantize'
import type { DType } from '@awq/tensor'
import { salientCount } from './salient.ts'

/** Entry of a tensor that stays float. */
export const denseEntry = (name: string, dtype: DType, shape: readonly number[]): StoreEntry => ({ name, dtype, shape })

/**
 * Entries of one block: its linears quantized, siblings that read the same value adjacent, everything else float32
 * (folding changes norms and biases, so their stored precision must not be lower).
 * @param salient share of each linear's input channels that stay float16
 */
export const blockEntries = (
  description: ModelDescription,
  specs: ReadonlyMap<string, QuantSpec>,
  layer: number,
  salient = 0,
): StoreEntry[] => {
  const { parameters, linears } = description.blocks[layer]!
  const byWeight = new Map(linears.map((linear) => [`${linear.name}.weight`, linear]))
  return parameters.flatMap(({ name, shape }) => {
    const full = description.parameter(layer, name)
    const linear = byWeight.get(name)
    if (!linear) return [denseEntry(full, 'F32', shape)]
    const columns = salientCount(salient, linear.shape[1])
    const site = description.parameter(layer, linear.site)
    return matrixEntries(full, linear.shape, specs.get(linear.name)!, site, columns)
  })
}
