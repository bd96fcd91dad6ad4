/**
 * Checkpoints of one family that name their tensors differently.
 * @module
 */
import type { Checkpoint } from '@awq/tensor'
import { type ModelDescription, modelParameters } from './describe.ts'
import { decodeFloat8 } from './float8-checkpoint.ts'
import { decodeMxfp4Pairs } from './mxfp4-checkpoint.ts'
import { unstackExperts } from './stacked-checkpoint.ts'

/**
 * The checkpoint with its tensors under the names that the description has: those of a base model that was saved without
 * its head lack the prefix, and some have other names by the family's `aliases`. Tensors that are named alike stay. Codes
 * of 8-bit floating point and of MXFP4 become the float32 that they stand for; experts in one tensor are taken apart.
 */
export const alignCheckpoint = (source: Checkpoint, description: ModelDescription): Checkpoint => {
  const { stored } = description
  const checkpoint = stored.kind === 'mxfp4' ? decodeMxfp4Pairs(source) : decodeFloat8(source, stored)
  const { prefix, aliases, blockName } = description
  const known = new Set<string>()
  for (const { name } of modelParameters(description)) known.add(name)
  for (const { name } of description.vision?.parameters ?? []) known.add(name)
  const blocks = blockName(0).replace(/0$/, '')
  const nameOf = (name: string): string => {
    if (known.has(name)) return name
    for (const [other, own] of Object.entries(aliases))
      if (name.startsWith(other)) return own + name.slice(other.length)
    const whole = prefix + name
    return known.has(whole) || (prefix !== '' && whole.startsWith(blocks)) ? whole : name
  }
  const renamed = [...checkpoint.tensors].map(([name, entry]) => {
    const own = nameOf(name)
    return [own, own === name ? entry : { ...entry, name: own }] as const
  })
  return unstackExperts({ ...checkpoint, tensors: new Map(renamed) }, description)
}
