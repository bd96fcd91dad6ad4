import { better, contradicts } from '../dims.ts'
import type { Dim, Shape } from '../types.ts'
import type { NodeView } from './row.ts'

/** The common shape of tensors under numpy broadcasting (ONNX "Broadcasting": multidirectional). */
export function broadcastShapes(node: NodeView, shapes: readonly Shape[]): Dim[] {
  const rank = Math.max(...shapes.map((shape) => shape.length))
  return Array.from({ length: rank }, (_, axis) =>
    shapes
      .map((shape): Dim => shape[axis - rank + shape.length] ?? 1)
      .reduce((a, b) => {
        if (a === 1 || a === b) return b
        if (b === 1) return a
        if (contradicts(a, b)) return node.fail(`sizes ${a} and ${b} do not broadcast`)
        // A number forces the named size to be that number or 1; two names may be equal or one of them 1.
        return typeof a === 'number' ? a : typeof b === 'number' ? b : node.fresh()
      }),
  )
}

/** Every present input broadcast together. */
export const broadcastAll = (node: NodeView): Shape[] => [
  broadcastShapes(
    node,
    node.inputs.flatMap((input) => (input ? [input.shape] : [])),
  ),
]

/** The first input's shape. */
export const sameAsFirst = (node: NodeView): Shape[] => [node.shape(0)]

/** An axis counted from the start; fails when it lies outside -rank .. rank - 1. */
export function axisOf(node: NodeView, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) node.fail(`axis ${axis} lies outside rank ${rank}`)
  return axis < 0 ? axis + rank : axis
}

/** Axes counted from the start, refused when one is named twice. */
export function axesOf(node: NodeView, axes: readonly number[], rank: number): number[] {
  const result = axes.map((axis) => axisOf(node, axis, rank))
  if (new Set(result).size !== result.length) node.fail(`axes [${axes.join(', ')}] name one axis twice`)
  return result
}

/** One dimension out of two that must be equal. */
export function equalDims(node: NodeView, a: Dim, b: Dim, what: string): Dim {
  if (contradicts(a, b)) node.fail(`${what} differ: ${a} and ${b}`)
  return better(a, b)
}

/** Fails unless an input, when present, has this rank. */
export function needRank(node: NodeView, input: number, ranks: number | readonly number[], what: string): void {
  const shape = node.shapeIf(input)
  const allowed = typeof ranks === 'number' ? [ranks] : ranks
  if (shape && !allowed.includes(shape.length)) {
    node.fail(`${what} must have rank ${allowed.join(' or ')}, not ${shape.length}`)
  }
}

/** Fails when an input, if present, is known to have another shape; null in `expected` leaves that size open. */
export function needShape(node: NodeView, input: number, expected: readonly (Dim | null)[], what: string): void {
  const shape = node.shapeIf(input)
  if (!shape) return
  const wrong =
    shape.length !== expected.length || expected.some((size, axis) => size !== null && contradicts(size, shape[axis]!))
  if (wrong) {
    node.fail(`${what} must be [${expected.map((size) => size ?? '_').join(', ')}], not [${shape.join(', ')}]`)
  }
}

/** The shape of a batched matrix product (numpy.matmul): leading axes broadcast, inner sizes must agree. */
export function matmulShape(node: NodeView, a: Shape, b: Shape): Dim[] {
  if (a.length === 0 || b.length === 0) node.fail('a scalar cannot be multiplied as a matrix')
  const left = a.length === 1 ? [1, ...a] : a
  const right = b.length === 1 ? [...b, 1] : b
  equalDims(node, left.at(-1)!, right.at(-2)!, 'inner sizes')
  const batch = broadcastShapes(node, [left.slice(0, -2), right.slice(0, -2)])
  return [...batch, ...(a.length === 1 ? [] : [left.at(-2)!]), ...(b.length === 1 ? [] : [right.at(-1)!])]
}

/** A shape with its last two axes exchanged when `flag` is set. */
export function transposedIf(node: NodeView, shape: Shape, transposed: boolean): Shape {
  if (!transposed) return shape
  if (shape.length < 2) node.fail('a transposed operand needs at least two axes')
  return [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!]
}
