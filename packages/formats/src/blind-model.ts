/**
 * Models that see, for formats that have no place for it.
 * @module
 */
import { visionNames, visionRoots } from './file-names.ts'
import type { PortableModel, ReadOptions } from './model.ts'

/** The language model alone; a warning says what is left out. @param format what it is for */
export const blindModel = (
  model: PortableModel,
  format: string,
  { onWarning }: Pick<ReadOptions, 'onWarning'> = {},
): PortableModel => {
  const roots = visionRoots(model)
  if (roots.length === 0) return model
  const seeing = visionNames(model.description)
  onWarning?.(
    `${format} has no place for how ${model.name} sees: ${roots.join(' and ')} are left out, and what is written reads text ` +
      'alone. autoawq, gptq, compressed-tensors and transformersjs hold them',
  )
  return { ...model, parameters: new Map([...model.parameters].filter(([name]) => !seeing.has(name))) }
}

/** Why a format whose readers leave the tower in float cannot hold a model's: one line where it is quantized. */
export const quantizedTowerProblems = ({ description, parameters }: PortableModel): string[] => {
  const seeing = visionNames(description)
  const first = [...parameters].find(([name, { kind }]) => kind === 'quantized' && seeing.has(name))
  return first ? [`${first[0]} is quantized, and programs that read this format have towers in float alone`] : []
}
