/**
 * What formats have in common whose matrices are `MODULE.qweight`: which matrices these are, and why a model has none.
 * @module
 */
import { quantizedTowerProblems } from '../blind-model.ts'
import { isTable } from '../matrix-names.ts'
import type { PortableModel, QuantizedParameter } from '../model.ts'
import { scaleVectorProblems } from '../unit-scales.ts'

/** The matrices that are written as integers. */
export const packedMatrices = (model: PortableModel): (readonly [name: string, parameter: QuantizedParameter])[] =>
  [...model.parameters].flatMap(([name, parameter]) =>
    parameter.kind === 'quantized' && !isTable(model, name) ? [[name, parameter] as const] : [],
  )

/** Reasons that all these formats have to refuse a model. */
export const qweightProblems = (model: PortableModel): string[] => {
  const { stacked } = model.description
  const found: string[] = []
  if (Object.keys(stacked).length > 0) {
    found.push('checkpoints of this family hold all experts in one tensor, which has no packed form')
  }
  found.push(...scaleVectorProblems(model), ...quantizedTowerProblems(model))
  const matrices = packedMatrices(model)
  for (const [name, { denseColumns }] of matrices) {
    if (denseColumns > 0) found.push(`${name}: ${denseColumns} of its columns stay float (--keep-salient)`)
  }
  if (matrices.length === 0) found.push('none of its matrices is quantized; use awq quantize')
  return found
}
