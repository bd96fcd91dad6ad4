import type { Dim, Shape } from '../types.ts'
import type { NodeView } from './row.ts'
import { axesOf } from './shape-rules.ts'

interface Cut {
  readonly start: number
  readonly end: number
  readonly step: number
}

/** The cut of every axis that Slice touches, when its bounds are known; null when an axis or bound is not. */
function cuts(node: NodeView): Map<number, Cut> | null {
  const rank = node.shape(0).length
  const [starts, ends] = [node.numbers(1), node.numbers(2)]
  const axes = node.inputs[3] ? node.numbers(3) : starts?.map((_, axis) => axis)
  const steps = node.inputs[4] ? node.numbers(4) : starts?.map(() => 1)
  if (!starts || !ends || !axes || !steps) return null
  if (new Set([starts.length, ends.length, axes.length, steps.length]).size !== 1) {
    node.fail('starts, ends, axes and steps differ in length')
  }
  if (steps.includes(0)) node.fail('a step of 0')
  return new Map(
    axesOf(node, axes, rank).map((axis, i) => [axis, { start: starts[i]!, end: ends[i]!, step: steps[i]! }]),
  )
}

/** First index and number of elements of a cut of `size` elements (ONNX Slice: bounds clamped, negative from the end). */
function cutRange(size: number, { start, end, step }: Cut): { first: number; count: number } {
  const place = (bound: number, low: number, high: number) =>
    Math.min(high, Math.max(low, bound < 0 ? bound + size : bound))
  const first = step > 0 ? place(start, 0, size) : place(start, 0, size - 1)
  const last = step > 0 ? place(end, 0, size) : place(end, -1, size - 1)
  return { first, count: Math.max(0, Math.ceil((last - first) / step)) }
}

/** Bounds at or past this mean "to the end", as exporters write it. */
const endless = 2 ** 31 - 1

/** The shape after Slice. An axis of unknown size keeps its name when it is taken whole, else becomes unknown. */
export function sliceShape(node: NodeView): Shape[] {
  const shape = node.shape(0)
  const known = cuts(node)
  const axes = node.inputs[3] ? node.numbers(3) : shape.map((_, axis) => axis)
  if (!known) {
    const touched = axes && axesOf(node, axes, shape.length)
    return [shape.map((dim, axis) => (!touched || touched.includes(axis) ? node.fresh() : dim))]
  }
  return [
    shape.map((dim, axis): Dim => {
      const cut = known.get(axis)
      if (!cut || (cut.start === 0 && cut.end >= endless && cut.step === 1)) return dim
      if (typeof dim === 'number') return cutRange(dim, cut).count
      return node.fresh()
    }),
  ]
}

/** The elements after a Slice of a known one-dimensional tensor. */
export function slicedContent(node: NodeView): readonly Dim[] | null {
  const content = node.content(0)
  const cut = node.shape(0).length === 1 ? cuts(node)?.get(0) : undefined
  if (!content || !cut) return null
  const { first, count } = cutRange(content.length, cut)
  return Array.from({ length: count }, (_, i) => content[first + i * cut.step]!)
}
