import type { Dim, OnnxType, Shape } from '../types.ts'
import { flag, floats, indexTypes, type NodeView, numeric, type OpRow, optional } from './row.ts'
import { axesOf, axisOf, needShape, sameAsFirst } from './shape-rules.ts'

/** A shape with the listed axes made 1 or dropped. */
const reduced = (shape: Shape, axes: readonly number[], keep: boolean): Dim[] =>
  shape.flatMap((dim, axis): Dim[] => (axes.includes(axis) ? (keep ? [1] : []) : [dim]))

const reduceShape = (node: NodeView): Shape[] => {
  const shape = node.shape(0)
  const keep = node.number('keepdims') === 1
  const rank = shape.length
  if (!node.inputs[1]) {
    if (node.number('noop_with_empty_axes') === 1) return [shape]
    return [
      reduced(
        shape,
        shape.map((_, axis) => axis),
        keep,
      ),
    ]
  }
  const axes = node.numbers(1)
  if (axes) return [reduced(shape, axesOf(node, axes, rank), keep)]
  if (keep) return [shape.map(() => node.fresh())]
  return node.promised ? [node.promised] : node.fail('axes are unknown and keepdims is 0: pass options.shape')
}

const reduction = (types: readonly OnnxType[]) =>
  ({
    inputs: ['T', 'int64?'],
    outputs: ['T'],
    types: { T: types },
    attributes: { keepdims: flag(1), noop_with_empty_axes: flag(0) },
    infer: reduceShape,
  }) satisfies OpRow

const argument = {
  inputs: ['T'],
  outputs: ['int64'],
  types: { T: numeric },
  attributes: { axis: optional('int', 0), keepdims: flag(1), select_last_index: flag(0) },
  infer: (node) => {
    const shape = node.shape(0)
    return [reduced(shape, [axisOf(node, node.number('axis'), shape.length)], node.number('keepdims') === 1)]
  },
} satisfies OpRow

const overAxis = (value: number) =>
  ({
    inputs: ['T'],
    outputs: ['T'],
    types: { T: floats },
    attributes: { axis: optional('int', value) },
    infer: (node) => {
      axisOf(node, node.number('axis'), node.shape(0).length)
      return sameAsFirst(node)
    },
  }) satisfies OpRow

const sums = [...floats, 'int32', 'int64'] as const

/** Operators that gather information along axes: sums, extremes, soft maxima, sorting. */
export const reductions = {
  ReduceSum: reduction(sums),
  ReduceMean: reduction(sums),
  ReduceProd: reduction(sums),
  ReduceSumSquare: reduction(sums),
  ReduceL1: reduction(sums),
  ReduceL2: reduction(sums),
  ReduceLogSumExp: reduction(sums),
  ReduceMax: reduction([...numeric, 'bool']),
  ReduceMin: reduction([...numeric, 'bool']),
  ArgMax: argument,
  ArgMin: argument,
  Softmax: overAxis(-1),
  LogSoftmax: overAxis(-1),
  CumSum: {
    inputs: ['T', 'I'],
    outputs: ['T'],
    types: { T: sums, I: indexTypes },
    attributes: { exclusive: flag(0), reverse: flag(0) },
    infer: (node) => {
      const axis = node.numbers(1)?.[0]
      if (axis !== undefined) axisOf(node, axis, node.shape(0).length)
      return sameAsFirst(node)
    },
  },
  TopK: {
    inputs: ['T', 'int64'],
    outputs: ['T', 'int64'],
    types: { T: numeric },
    attributes: { axis: optional('int', -1), largest: flag(1), sorted: flag(1) },
    infer: (node) => {
      const shape = node.shape(0)
      const axis = axisOf(node, node.number('axis'), shape.length)
      needShape(node, 1, [1], 'k')
      const k = node.content(1)?.[0] ?? node.fresh()
      const size = shape[axis]!
      if (typeof k === 'number' && (k < 0 || (typeof size === 'number' && k > size))) {
        node.fail(`k = ${k} of ${size} elements along axis ${axis}`)
      }
      const result = shape.map((dim, i) => (i === axis ? k : dim))
      return [result, result]
    },
  },
  Trilu: {
    inputs: ['T', 'int64?'],
    outputs: ['T'],
    types: { T: [...numeric, 'bool'] },
    attributes: { upper: flag(1) },
    infer: (node) => {
      if (node.shape(0).length < 2) node.fail('the input needs at least two axes')
      return sameAsFirst(node)
    },
  },
} satisfies Record<string, OpRow>

/** Mean and inverse deviation that normalizations may give as well: the input's shape with the normalized axes 1. */
export const statisticsShape = (shape: Shape, axis: number): Dim[] => shape.map((dim, i) => (i < axis ? dim : 1))
