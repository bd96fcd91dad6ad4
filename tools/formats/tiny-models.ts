/** The tiny checkpoints of the tests, rounded to nearest, for proofs. */
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { checkHolds, type PortableModel } from '@awq/formats'
import type { QuantSpec } from '@awq/quantize'
import { messageOf } from '@awq/tensor'
import { floatModel, roundedModel } from '../../packages/formats/src/fixtures/models.ts'

/** Their names. */
export const tinyNames = (): string[] =>
  readdirSync(fileURLToPath(new URL('../../test/fixtures/models', import.meta.url))).sort()

/** Opens one, with its source named as no family is: programs look for families in names. */
export const tinyModel = async (name: string): Promise<PortableModel> => {
  const model = await floatModel(name)
  return { ...model, provenance: { ...model.provenance, source: { name: 'tiny' } } }
}

/** Whether a format can hold a model; where it cannot, a line says why. */
export const holds = async (model: PortableModel, format: string, label: string): Promise<boolean> => {
  try {
    await checkHolds(model, format)
    return true
  } catch (error) {
    const why = messageOf(error).replace(/^.*?: /, '')
    console.log(`${label}: refused, ${why.slice(0, 120)}`)
    return false
  }
}

/** Every linear by a spec that depends on its place and width; tables stay float. */
export const rounded = (
  model: PortableModel,
  specOf: (place: number, width: number) => QuantSpec | null,
): PortableModel => {
  const { embedding, headTable, blocks, parameter } = model.description
  const widths = new Map<string, number>()
  for (const [layer, { linears }] of blocks.entries())
    for (const { name, shape } of linears) widths.set(parameter(layer, `${name}.weight`), shape[1])
  const names = [...widths.keys()]
  return roundedModel(model, (name) =>
    name === embedding || name === headTable ? null : specOf(names.indexOf(name), widths.get(name) ?? 0),
  )
}

/** The largest difference of two lists, against the largest of the first. */
export const difference = (one: ArrayLike<number>, other: ArrayLike<number>): number => {
  let [largest, most] = [0, 0]
  for (let i = 0; i < one.length; i++) {
    largest = Math.max(largest, Math.abs(one[i]! - other[i]!))
    most = Math.max(most, Math.abs(one[i]!))
  }
  return largest / most
}
