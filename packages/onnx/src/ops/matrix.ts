import type { Shape } from '../types.ts'
import { einsumShape } from './einsum.ts'
import { flag, floats, type NodeView, type OpRow, optional, required } from './row.ts'
import { axisOf, broadcastShapes, equalDims, matmulShape, needRank, needShape, transposedIf } from './shape-rules.ts'

const products = [...floats, 'int32', 'int64'] as const

/** The inputs' sizes a normalization sees from `axis` on must be those of its scale (and bias). */
function normalized(node: NodeView, axis: number, parameters: readonly number[]): Shape {
  const shape = node.shape(0)
  const tail = shape.slice(axis)
  for (const input of parameters) {
    const parameter = node.shapeIf(input)
    if (!parameter) continue
    const whole = broadcastShapes(node, [tail, parameter])
    if (whole.length > tail.length) node.fail(`parameter [${parameter.join(', ')}] has more axes than are normalized`)
    for (const [i, dim] of whole.entries()) equalDims(node, dim, tail[i]!, 'sizes of the input and a parameter')
  }
  return shape
}

const layerNormalization = (parameters: readonly number[], outputs: number) => (node: NodeView) => {
  const shape = node.shape(0)
  const axis = axisOf(node, node.number('axis'), shape.length)
  const statistics = shape.map((dim, i) => (i < axis ? dim : 1))
  return [normalized(node, axis, parameters), ...Array.from({ length: outputs - 1 }, () => statistics)]
}

const skipNormalization = (parameters: readonly number[]) => (node: NodeView) => {
  const shape = node.shape(0)
  needRank(node, 0, [2, 3], 'the input')
  const sum = broadcastShapes(node, [shape, node.shape(1)])
  if (sum.length !== shape.length) node.fail('the skipped input has more axes than the input')
  const width = shape.at(-1)!
  for (const input of parameters) needShape(node, input, [width], 'scale and bias')
  const statistics = shape.map((dim, i) => (i === shape.length - 1 ? 1 : dim))
  return [shape, statistics, statistics, shape]
}

/** Matrix products and normalizations. */
export const matrix = {
  MatMul: {
    inputs: ['T', 'T'],
    outputs: ['T'],
    types: { T: products },
    attributes: {},
    infer: (node) => [matmulShape(node, node.shape(0), node.shape(1))],
  },
  Gemm: {
    inputs: ['T', 'T', 'T?'],
    outputs: ['T'],
    types: { T: products },
    attributes: {
      alpha: optional('float', 1),
      beta: optional('float', 1),
      transA: flag(0),
      transB: flag(0),
    },
    infer: (node) => {
      needRank(node, 0, 2, 'the first factor')
      needRank(node, 1, 2, 'the second factor')
      const a = transposedIf(node, node.shape(0), node.number('transA') === 1)
      const b = transposedIf(node, node.shape(1), node.number('transB') === 1)
      const result = matmulShape(node, a, b)
      const addend = node.shapeIf(2)
      if (addend) {
        const whole = broadcastShapes(node, [result, addend])
        if (whole.length > 2) node.fail('the addend has more than two axes')
        for (const [i, dim] of whole.entries()) equalDims(node, dim, result[i]!, 'sizes of the product and the addend')
      }
      return [result]
    },
  },
  FusedMatMul: {
    domain: 'com.microsoft',
    inputs: ['T', 'T'],
    outputs: ['T'],
    types: { T: floats },
    attributes: {
      alpha: optional('float', 1),
      transA: flag(0),
      transB: flag(0),
      transBatchA: flag(0),
      transBatchB: flag(0),
    },
    infer: (node) => {
      if (node.number('transBatchA') === 1 || node.number('transBatchB') === 1) {
        return [node.promised ?? node.fail('the shape under transBatchA or transBatchB: pass options.shape')]
      }
      const a = transposedIf(node, node.shape(0), node.number('transA') === 1)
      return [matmulShape(node, a, transposedIf(node, node.shape(1), node.number('transB') === 1))]
    },
  },
  Einsum: {
    inputs: ['T', 'T*'],
    outputs: ['T'],
    types: { T: products },
    attributes: { equation: required('string') },
    infer: (node) => [einsumShape(node, node.text('equation'))],
  },
  LayerNormalization: {
    inputs: ['T', 'T', 'T?'],
    outputs: ['T', 'float32?', 'float32?'],
    types: { T: floats },
    attributes: {
      axis: optional('int', -1),
      epsilon: optional('float', 1e-5),
      stash_type: optional('int', 1, [1]),
    },
    infer: layerNormalization([1, 2], 3),
  },
  // Of ONNX Runtime, in the standard domain: LayerNormalization without mean and bias.
  SimplifiedLayerNormalization: {
    inputs: ['T', 'V'],
    outputs: ['V', 'float32?'],
    types: { T: floats, V: floats },
    attributes: {
      axis: optional('int', -1),
      epsilon: optional('float', 1e-5),
      stash_type: optional('int', 1, [1]),
    },
    infer: layerNormalization([1], 2),
  },
  // The skip forms default to an epsilon of 1e-12, which no model uses: it must be given.
  SkipLayerNormalization: {
    domain: 'com.microsoft',
    inputs: ['T', 'T', 'T', 'T?', 'T?'],
    outputs: ['T', 'float32?', 'float32?', 'T?'],
    types: { T: floats },
    attributes: { epsilon: required('float') },
    infer: skipNormalization([2, 3, 4]),
  },
  SkipSimplifiedLayerNormalization: {
    domain: 'com.microsoft',
    inputs: ['T', 'T', 'T', 'T?'],
    outputs: ['T', 'float32?', 'float32?', 'T?'],
    types: { T: floats },
    attributes: { epsilon: required('float') },
    infer: skipNormalization([2, 3]),
  },
} satisfies Record<string, OpRow>
