import { contradicts, productOf, quotient } from '../dims.ts'
import type { Dim, Shape } from '../types.ts'
import { anyType, flag, indexTypes, type NodeView, numeric, type OpRow, optional, required } from './row.ts'
import { axesOf, axisOf, broadcastShapes, needRank, needShape, sameAsFirst } from './shape-rules.ts'
import { slicedContent, sliceShape } from './slice.ts'

const moved = { inputs: ['T'], outputs: ['T'], types: { T: anyType } }

/** The dimensions a one-dimensional shape input stands for, unknown ones when only their number is known. */
function targetShape(node: NodeView, input: number): Shape {
  const content = node.content(input)
  if (content) return content
  if (node.promised) return node.promised
  const length = node.shape(input)[0]
  if (typeof length !== 'number') return node.fail('the target shape is unknown: pass options.shape')
  return Array.from({ length }, () => node.fresh())
}

function reshapedShape(node: NodeView): Shape[] {
  const shape = node.shape(0)
  needRank(node, 1, 1, 'the target shape')
  const content = node.content(1)
  if (!content) return [targetShape(node, 1)]
  const copies = node.number('allowzero') === 0
  const target = content.map((dim, axis): Dim => {
    if (dim !== 0 || !copies) return dim
    return shape[axis] ?? node.fail(`target [${content.join(', ')}] copies axis ${axis}, which the input lacks`)
  })
  const open = target.flatMap((dim, axis) => (dim === -1 ? [axis] : []))
  if (open.length > 1 || target.some((dim) => typeof dim === 'number' && dim < -1)) {
    node.fail(`target [${content.join(', ')}] is not a shape`)
  }
  const rest = target.filter((_, axis) => axis !== open[0])
  const size = quotient(productOf(shape), productOf(rest))
  if (size === 'inexact' || (open.length === 0 && typeof size === 'number' && size !== 1)) {
    node.fail(`the elements do not fill the target [${content.join(', ')}]`)
  }
  return [target.map((dim) => (dim === -1 ? (size ?? node.fresh()) : dim))]
}

const reordered = (shape: Shape, order: readonly number[]): Dim[] => order.map((axis) => shape[axis]!)

/** Contents pass through operators that only add or drop axes of length one. */
const sameContent = (node: NodeView) => node.content(0)

/** Operators that move, copy or select elements without computing with them. */
export const movement = {
  Reshape: {
    ...moved,
    inputs: ['T', 'int64'],
    attributes: { allowzero: flag(0) },
    infer: reshapedShape,
    content: sameContent,
  },
  Transpose: {
    ...moved,
    attributes: { perm: optional('ints') },
    infer: (node) => {
      const shape = node.shape(0)
      const order = node.ints('perm') ?? shape.map((_, axis) => shape.length - 1 - axis)
      if (order.length !== shape.length) node.fail(`perm [${order.join(', ')}] does not list every axis`)
      return [reordered(shape, axesOf(node, order, shape.length))]
    },
  },
  Squeeze: {
    ...moved,
    inputs: ['T', 'int64?'],
    attributes: {},
    infer: (node) => {
      const shape = node.shape(0)
      if (!node.inputs[1]) return [shape.filter((dim) => dim !== 1)]
      const given = node.numbers(1)
      if (!given) return [node.promised ?? node.fail('the axes are unknown: pass options.shape')]
      const axes = axesOf(node, given, shape.length)
      for (const axis of axes)
        if (contradicts(shape[axis]!, 1)) node.fail(`axis ${axis} has size ${shape[axis]}, not 1`)
      return [shape.filter((_, axis) => !axes.includes(axis))]
    },
    content: sameContent,
  },
  Unsqueeze: {
    ...moved,
    inputs: ['T', 'int64'],
    attributes: {},
    infer: (node) => {
      const given = node.numbers(1)
      if (!given) return [node.promised ?? node.fail('the axes are unknown: pass options.shape')]
      const rest = [...node.shape(0)]
      const rank = rest.length + given.length
      const axes = axesOf(node, given, rank)
      return [Array.from({ length: rank }, (_, axis): Dim => (axes.includes(axis) ? 1 : rest.shift()!))]
    },
    content: sameContent,
  },
  Concat: {
    ...moved,
    inputs: ['T', 'T*'],
    attributes: { axis: required('int') },
    infer: (node) => {
      const shapes = node.inputs.map((_, input) => node.shape(input))
      const first = shapes[0]!
      const axis = axisOf(node, node.number('axis'), first.length)
      const result = [...first]
      for (const shape of shapes.slice(1)) {
        if (shape.length !== first.length) node.fail('the inputs differ in rank')
        for (const [i, dim] of shape.entries()) {
          if (i === axis) continue
          if (contradicts(result[i]!, dim)) node.fail(`sizes ${result[i]} and ${dim} of axis ${i} differ`)
          if (typeof dim === 'number') result[i] = dim
        }
      }
      const sizes = shapes.map((shape) => shape[axis]!).filter((size) => size !== 0)
      const known = sizes.every((size) => typeof size === 'number')
      result[axis] = known ? sizes.reduce((a, b) => a + b, 0) : sizes.length === 1 ? sizes[0]! : node.fresh()
      return [result]
    },
    content: (node) => {
      const parts = node.inputs.map((_, input) => node.content(input))
      return node.shape(0).length === 1 && parts.every((part) => part !== null) ? parts.flat() : null
    },
  },
  Split: {
    ...moved,
    inputs: ['T', 'int64?'],
    outputs: ['T*'],
    attributes: { axis: optional('int', 0), num_outputs: optional('int') },
    infer: (node) => {
      const shape = node.shape(0)
      const axis = axisOf(node, node.number('axis'), shape.length)
      const size = shape[axis]!
      const wanted = node.numberIf('num_outputs')
      if ((wanted === undefined) === (node.inputs[1] == null)) {
        node.fail('give either the sizes as second input or the attribute num_outputs')
      }
      const parts = splitSizes(node, size, wanted)
      return parts.map((part) => shape.map((dim, i) => (i === axis ? part : dim)))
    },
  },
  Slice: {
    ...moved,
    inputs: ['T', 'I', 'I', 'I?', 'I?'],
    types: { T: anyType, I: indexTypes },
    attributes: {},
    infer: sliceShape,
    content: slicedContent,
  },
  Gather: {
    ...moved,
    inputs: ['T', 'I'],
    types: { T: anyType, I: indexTypes },
    attributes: { axis: optional('int', 0) },
    infer: (node) => {
      const shape = node.shape(0)
      const axis = axisOf(node, node.number('axis'), shape.length)
      const size = shape[axis]!
      const outside = node.numbers(1)?.find((i) => typeof size === 'number' && (i < -size || i >= size))
      if (outside !== undefined) node.fail(`index ${outside} lies outside the ${size} elements of axis ${axis}`)
      return [[...shape.slice(0, axis), ...node.shape(1), ...shape.slice(axis + 1)]]
    },
    content: (node) => {
      const content = node.content(0)
      const indices = node.numbers(1)
      return content && indices && node.shape(0).length === 1 ? indices.map((i) => content.at(i)!) : null
    },
  },
  GatherElements: {
    ...moved,
    inputs: ['T', 'I'],
    types: { T: anyType, I: indexTypes },
    attributes: { axis: optional('int', 0) },
    infer: (node) => {
      axisOf(node, node.number('axis'), node.shape(0).length)
      needRank(node, 1, node.shape(0).length, 'the indices')
      return [node.shape(1)]
    },
  },
  ScatterElements: {
    ...moved,
    inputs: ['T', 'I', 'T'],
    types: { T: anyType, I: indexTypes },
    attributes: {
      axis: optional('int', 0),
      reduction: optional('string', 'none', ['none', 'add', 'mul', 'max', 'min']),
    },
    infer: (node) => {
      axisOf(node, node.number('axis'), node.shape(0).length)
      needRank(node, 1, node.shape(0).length, 'the indices')
      needShape(node, 2, node.shape(1), 'the updates')
      return sameAsFirst(node)
    },
  },
  ScatterND: {
    ...moved,
    inputs: ['T', 'int64', 'T'],
    attributes: { reduction: optional('string', 'none', ['none', 'add', 'mul', 'max', 'min']) },
    infer: (node) => {
      const indices = node.shape(1)
      const depth = indices.at(-1)
      if (typeof depth === 'number') {
        needShape(node, 2, [...indices.slice(0, -1), ...node.shape(0).slice(depth)], 'the updates')
      }
      return sameAsFirst(node)
    },
  },
  Expand: {
    ...moved,
    inputs: ['T', 'int64'],
    attributes: {},
    infer: (node) => [broadcastShapes(node, [node.shape(0), targetShape(node, 1)])],
  },
  Tile: {
    ...moved,
    inputs: ['T', 'int64'],
    attributes: {},
    infer: (node) => {
      const shape = node.shape(0)
      needShape(node, 1, [shape.length], 'the repeats')
      const repeats = node.content(1)
      return [
        shape.map((dim, axis) => {
          const times = repeats?.[axis]
          if (times === 1) return dim
          return typeof dim === 'number' && typeof times === 'number' ? dim * times : node.fresh()
        }),
      ]
    },
  },
  Pad: {
    ...moved,
    inputs: ['T', 'int64', 'T?', 'I?'],
    types: { T: anyType, I: indexTypes },
    attributes: { mode: optional('string', 'constant', ['constant', 'reflect', 'edge', 'wrap']) },
    infer: (node) => {
      const shape = node.shape(0)
      const pads = node.numbers(1)
      const given = node.inputs[3] ? node.numbers(3) : shape.map((_, axis) => axis)
      if (!pads || !given) return [shape.map(() => node.fresh())]
      const axes = axesOf(node, given, shape.length)
      if (pads.length !== 2 * axes.length) node.fail(`${pads.length} pads for ${axes.length} axes`)
      return [
        shape.map((dim, axis) => {
          const at = axes.indexOf(axis)
          const extra = at < 0 ? 0 : pads[at]! + pads[at + axes.length]!
          return extra === 0 ? dim : typeof dim === 'number' ? dim + extra : node.fresh()
        }),
      ]
    },
  },
  Shape: {
    inputs: ['T'],
    outputs: ['int64'],
    types: { T: anyType },
    attributes: { start: optional('int', 0), end: optional('int') },
    infer: (node) => [[node.shape(0).slice(node.number('start'), node.numberIf('end')).length]],
    content: (node) => node.shape(0).slice(node.number('start'), node.numberIf('end')),
  },
  Range: {
    inputs: ['T', 'T', 'T'],
    outputs: ['T'],
    types: { T: ['float32', 'float64', 'int32', 'int64'] },
    attributes: {},
    infer: (node) => {
      for (const input of [0, 1, 2]) needShape(node, input, [], 'each of start, limit and delta')
      const [start, limit, delta] = [0, 1, 2].map((input) => node.content(input)?.[0])
      if (delta === 0) node.fail('delta is 0')
      if (start === 0 && delta === 1 && limit !== undefined)
        return [[typeof limit === 'number' ? Math.max(0, limit) : limit]]
      if (typeof start !== 'number' || typeof limit !== 'number' || typeof delta !== 'number') return [[node.fresh()]]
      return [[Math.max(0, Math.ceil((limit - start) / delta))]]
    },
  },
  ConstantOfShape: {
    inputs: ['int64'],
    outputs: ['=value'],
    attributes: { value: optional('fill', { dtype: 'float32', value: 0 }) },
    infer: (node) => {
      needRank(node, 0, 1, 'the shape')
      return [targetShape(node, 0)]
    },
  },
  OneHot: {
    inputs: ['I', 'D', 'T'],
    outputs: ['T'],
    types: { I: numeric, D: numeric, T: anyType },
    attributes: { axis: optional('int', -1) },
    infer: (node) => {
      const shape = node.shape(0)
      const axis = axisOf(node, node.number('axis'), shape.length + 1)
      return [[...shape.slice(0, axis), node.content(1)?.[0] ?? node.fresh(), ...shape.slice(axis)]]
    },
  },
} satisfies Record<string, OpRow>

/** The sizes Split cuts an axis into: those given, or equal ones of which the last may be smaller. */
function splitSizes(node: NodeView, size: Dim, wanted: number | undefined): Dim[] {
  if (wanted !== undefined) {
    if (wanted < 1) node.fail(`num_outputs is ${wanted}`)
    if (typeof size === 'string') return Array.from({ length: wanted }, () => node.fresh())
    const part = Math.ceil(size / wanted)
    const last = size - part * (wanted - 1)
    if (last < 0) node.fail(`${size} elements cannot be cut into ${wanted} parts`)
    return Array.from({ length: wanted }, (_, i) => (i === wanted - 1 ? last : part))
  }
  const sizes = node.content(1)
  if (sizes) {
    const { factor: _, names } = productOf(sizes)
    const sum = sizes.reduce<number>((total, part) => total + (typeof part === 'number' ? part : 0), 0)
    if (names.length === 0 && contradicts(size, sum))
      node.fail(`the sizes [${sizes.join(', ')}] do not add up to ${size}`)
    return [...sizes]
  }
  const count = node.shape(1)[0]
  const length = typeof count === 'number' ? count : (node.outputCount ?? node.fail('the number of parts is unknown'))
  return Array.from({ length }, () => node.fresh())
}
