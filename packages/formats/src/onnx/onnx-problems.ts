/**
 * What decoder graphs cannot hold, whoever reads them.
 * @module
 */
import { layoutOf } from '@awq/onnx'
import { messageOf } from '@awq/tensor'
import type { PortableModel } from '../model.ts'
import { exportedPositions } from './exported-port.ts'

/** Why the matrices of a model do not fit ONNX Runtime's operators, one line for each that does not. */
export const onnxProblems = ({ parameters, description }: PortableModel): string[] =>
  [...parameters].flatMap(([name, parameter]) => {
    if (parameter.kind === 'float') return []
    if (parameter.inputOrder && name === description.embedding)
      return [`${name}: a table of embeddings cannot have columns in an order of their own`]
    try {
      layoutOf({ ...parameter.spec, shape: parameter.shape })
      return []
    } catch (error) {
      return [`${name}: ${messageOf(error)}`]
    }
  })

/** A line where a graph takes fewer tokens than the model. */
export const contextWarnings = ({ name, description }: PortableModel): string[] => {
  const positions = exportedPositions(description)
  const { contextLength } = description.config
  if (positions >= contextLength) return []
  return [
    `${name}: the exported graph takes ${positions} tokens of the model's ${contextLength}: ` +
      'it has one set of rotary frequencies, and tables of their angles that fit a browser',
  ]
}
