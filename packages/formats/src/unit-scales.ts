/**
 * Scales of inputs that nothing could absorb, as vectors of their own: those of one do nothing.
 * @module
 */
import { readFloat32 } from '@awq/tensor'
import type { PortableModel, ReadOptions } from './model.ts'

/** Names of the vectors that a model may have, and that most formats have no place for. */
export const scaleVectors = ({ description: { blocks, parameter }, parameters }: PortableModel): string[] =>
  blocks.flatMap(({ parameters: specs }, layer) =>
    specs.flatMap(({ name, optional }) => {
      const full = parameter(layer, name)
      return optional && parameters.has(full) ? [full] : []
    }),
  )

/** Why a format without a place for them cannot hold a model, by vector. */
export const scaleVectorProblems = (model: PortableModel): string[] =>
  scaleVectors(model).map(
    (name) =>
      `${name}: a scale of inputs that nothing absorbed, for which the format has no place; awq quantize --format makes ` +
      'a model without it',
  )

/** The model without the vectors whose every number is one. */
export const withoutUnitScales = async (model: PortableModel, { signal }: ReadOptions = {}): Promise<PortableModel> => {
  const parameters = new Map(model.parameters)
  for (const name of scaleVectors(model)) {
    const found = parameters.get(name)
    if (found?.kind !== 'float') continue
    const values = await readFloat32(found.entry, { signal })
    if (values.every((value) => value === 1)) parameters.delete(name)
  }
  return parameters.size === model.parameters.size ? model : { ...model, parameters }
}
