/**
 * The graphs of the clip search. Groups lie behind one another: [groups, rows, groupSize], and as ranges [groups * rows].
 * @module
 */
import { Graph, int64s, reshape, type Value } from '@awq/onnx'
import type { QuantSpec } from '@awq/quantize'
import { emitError, emitGrid, emitRanges, emitRounded, type GridRule } from './fake-quantize.ts'

/** What decides how a range is rounded within. */
export interface ClipForm {
  readonly groups: number
  readonly groupSize: number
  readonly spec: QuantSpec
  readonly rule: GridRule
  /** `symmetric`: weights are first clamped to plus and minus a limit, and ranges are those of the clamped weights. */
  readonly clamp: 'ends' | 'symmetric'
}

/**
 * `weight` [rows, padded] -> `byGroup`, the same as [groups, rows, groupSize], and `low`, `high` [groups * rows]: the ends
 * of the ranges; or with `symmetric` minus and plus the largest magnitude, and `least`, `most`, the ends of the ranges.
 */
export function clipRangesGraph({ groups, groupSize, clamp, rule }: ClipForm): Graph {
  const graph = new Graph('clip-ranges')
  const weight = graph.input('weight', 'float32', ['rows', groups * groupSize])
  const split = reshape(graph, weight, [-1, groups, groupSize])
  const byGroup = graph.add('Transpose', [split], { perm: [1, 0, 2] })
  const flat = reshape(graph, byGroup, [-1, groupSize])
  graph.output('byGroup', byGroup)
  if (clamp === 'symmetric') {
    const most = graph.add('ReduceMax', [graph.add('Abs', [flat]), int64s(graph, [1])], { keepdims: 0 })
    graph.output('low', graph.add('Neg', [most]))
    graph.output('high', graph.add('Identity', [most]))
    const full = emitRanges(graph, flat)
    graph.output('least', full.low)
    graph.output('most', full.high)
    return graph
  }
  const { low, high } = emitRanges(graph, flat, rule)
  graph.output('low', low)
  graph.output('high', high)
  return graph
}

/**
 * `weight`, `low`, `high`, `gram` [groups, groupSize, groupSize], and the scalars `lowRatio` and `highRatio` that the
 * ends are multiplied by -> `loss` [groups * rows]: e G_g e^T for the rounding error e of each group.
 */
export function clipLossGraph(form: ClipForm): Graph {
  const { groups, groupSize } = form
  const graph = new Graph('clip-loss')
  const weight = graph.input('weight', 'float32', [groups, 'rows', groupSize])
  const gram = graph.input('gram', 'float32', [groups, groupSize, groupSize])
  const end = (name: 'low' | 'high') =>
    graph.add('Mul', [graph.input(name, 'float32', ['ranges']), graph.input(`${name}Ratio`, 'float32', [])])
  const flat = reshape(graph, weight, [-1, groupSize])
  const error = emitClippedError(graph, flat, end('low'), end('high'), form)
  const byGroup = reshape(graph, error, [groups, -1, groupSize])
  const product = graph.add('Mul', [graph.add('MatMul', [byGroup, gram]), byGroup])
  const flatProduct = reshape(graph, product, [-1, groupSize])
  graph.output('loss', graph.add('ReduceSum', [flatProduct, int64s(graph, [1])], { keepdims: 0 }))
  return graph
}

/** What rounding adds to each weight of a clipped group, [groups * rows, groupSize]. */
function emitClippedError(graph: Graph, flat: Value, low: Value, high: Value, form: ClipForm): Value {
  const { clamp, rule, spec } = form
  if (clamp === 'ends') return emitError(graph, flat, emitGrid(graph, low, high, spec, rule), spec)
  const column = (value: Value) => graph.add('Unsqueeze', [value, int64s(graph, [1])])
  const clamped = graph.add('Min', [graph.add('Max', [flat, column(low)]), column(high)])
  const ranges = emitRanges(graph, clamped, rule)
  const rounded = emitRounded(graph, clamped, emitGrid(graph, ranges.low, ranges.high, spec, rule), spec)
  return graph.add('Sub', [rounded, flat])
}
