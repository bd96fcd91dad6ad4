/**
 * The scale behind an activation that lets none through: AutoAWQ divides by `ACTIVATION.scales`, ours is a vector that is
 * multiplied.
 * @module
 */
import type { ModelDescription } from '@awq/models'
import { fromFloat32, readFloat32, type TensorEntry } from '@awq/tensor'
import type { Parameter } from '../model.ts'

/** Modules of activations in the families that have one between two linears. */
const ACTIVATIONS: readonly string[] = ['mlp.act', 'mlp.gelu_impl', 'ffn.act', 'act']

/** An entry of one over another's numbers, float32. */
export const reciprocal = (entry: TensorEntry, name: string): TensorEntry => ({
  name,
  dtype: 'F32',
  shape: entry.shape,
  file: `one over ${entry.name} of ${entry.file}`,
  offset: 0,
  length: (entry.shape[0] ?? 0) * 4,
  read: async (options) =>
    fromFloat32(
      (await readFloat32(entry, options)).map((value) => 1 / value),
      'F32',
    ),
})

/** Parameters with AutoAWQ's `.scales` of activations as ours. */
export const scalesOfActivations = (
  parameters: ReadonlyMap<string, Parameter>,
  { blocks, parameter }: ModelDescription,
): Map<string, Parameter> => {
  const result = new Map(parameters)
  for (const [layer, block] of blocks.entries())
    for (const { name, optional } of block.parameters) {
      if (!optional) continue
      const given = ACTIVATIONS.map((module) => parameter(layer, `${module}.scales`)).find((one) => result.has(one))
      const found = given === undefined ? undefined : result.get(given)
      if (given === undefined || found?.kind !== 'float') continue
      result.delete(given)
      const full = parameter(layer, name)
      result.set(full, { kind: 'float', entry: reciprocal(found.entry, full) })
    }
  return result
}
