/**
 * One linear layer of random weights.
 * @module
 */
import type { Graph, Value } from '@awq/onnx'
import type { RandomWeights } from './random-weights.ts'

/** How a matrix is stored. 16 bits run as float32 numbers. */
export interface LinearForm {
  readonly bits: 4 | 8 | 16
  readonly block: 32 | 64 | 128
  readonly symmetric: boolean
  /** MatMulNBits' accuracy_level: 1 computes in float32, 4 in int8. Default 4. */
  readonly accuracy?: number
}

/** `4 bits, group 64, symmetric`. */
export const describeForm = ({ bits, block, symmetric }: LinearForm): string =>
  bits === 16 ? 'float' : `${bits} bits, group ${block}${symmetric ? ', symmetric' : ''}`

/** The values of a block's zero point; symmetric matrices have this one everywhere. */
const middle = { 4: 0x88, 8: 0x80 } as const

/** `[..., inputs]` to `[..., outputs]`; the results are about as large as what goes in. */
export const emitLinear = (
  graph: Graph,
  weights: RandomWeights,
  x: Value,
  [inputs, outputs]: readonly [number, number],
  form: LinearForm,
  name: string,
): Value => {
  const { bits, block, symmetric, accuracy = 4 } = form
  if (bits === 16)
    return graph.add('MatMul', [x, weights.uniform(`${name}.w`, [inputs, outputs], Math.sqrt(3 / inputs))])
  const blocks = Math.ceil(inputs / block)
  // Codes are uniform: their deviation is 2^bits / sqrt(12).
  const scale = Math.sqrt(12 / inputs) / 2 ** bits
  const codes = weights.codes(`${name}.codes`, [outputs, blocks, (block * bits) / 8])
  const scales = weights.filled(`${name}.scales`, x.dtype as 'float32', [outputs, blocks], scale)
  const zeroShape = [outputs, Math.ceil((blocks * bits) / 8)]
  const zeros = symmetric
    ? null
    : graph.constant('uint8', zeroShape, new Uint8Array(zeroShape[0]! * zeroShape[1]!).fill(middle[bits]))
  return graph.add('MatMulNBits', [x, codes, scales, zeros], {
    K: inputs,
    N: outputs,
    bits,
    block_size: block,
    accuracy_level: accuracy,
  })
}
