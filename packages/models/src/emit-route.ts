/**
 * Routing of tokens to experts, as ONNX nodes.
 * @module
 */
import { type Graph, int64s, reshape, scalar, type Value } from '@awq/onnx'
import type { VectorBinding } from './binding.ts'
import type { RouteStep } from './steps.ts'

/** The `count` largest along the last axis: their values and places. */
const largest = (graph: Graph, x: Value, count: number): readonly [values: Value, places: Value] =>
  graph.addAll('TopK', [x, int64s(graph, [count])], { axis: -1 }, { outputs: 2 }) as [Value, Value]

const zerosLike = (graph: Graph, x: Value): Value => graph.add('Mul', [x, scalar(graph, x.dtype, 0)])

const lastAxis = (graph: Graph): Value => int64s(graph, [-1])

/** A score below all others. */
const NEVER: Readonly<Partial<Record<string, number>>> = { float32: -1e30, float16: -65504 }

/** Scores `[..., experts]`, those of experts outside the best groups far below all others. */
const withinGroups = (graph: Graph, scores: Value, { experts, groups }: RouteStep): Value => {
  if (!groups) return scores
  const size = experts / groups.count
  const grouped = reshape(graph, scores, [0, 0, groups.count, size])
  const [best] = largest(graph, grouped, groups.best)
  const groupScores = graph.add('ReduceSum', [best, lastAxis(graph)], { keepdims: 0 })
  const [values, places] = largest(graph, groupScores, groups.chosen)
  const one = graph.add('Add', [zerosLike(graph, values), scalar(graph, scores.dtype, 1)])
  const marks = graph.add('ScatterElements', [zerosLike(graph, groupScores), places, one], { axis: -1 })
  const chosen = graph.add('Cast', [reshape(graph, marks, [0, 0, groups.count, 1])], { to: 'bool' })
  const never = scalar(graph, scores.dtype, NEVER[scores.dtype]!)
  return reshape(graph, graph.add('Where', [chosen, grouped, never]), [0, 0, experts])
}

/**
 * Adds routing to a graph: logits `[batch, sequence, experts]` to weights of that shape.
 */
export const emitRoute = (graph: Graph, logits: Value, step: RouteStep, binding: VectorBinding): Value => {
  const { score, correction, chosen, normalized, factor = 1, experts } = step
  const scores = score === 'softmax' ? graph.add('Softmax', [logits], { axis: -1 }) : graph.add('Sigmoid', [logits])
  const corrected =
    correction === undefined ? scores : graph.add('Add', [scores, binding.vector(graph, correction, experts)])
  const [, places] = largest(graph, withinGroups(graph, corrected, step), chosen)
  const own = graph.add('GatherElements', [scores, places], { axis: -1 })
  const whole = normalized
    ? graph.add('Div', [own, graph.add('ReduceSum', [own, lastAxis(graph)], { keepdims: 1 })])
    : own
  const weights = factor === 1 ? whole : graph.add('Mul', [whole, scalar(graph, whole.dtype, factor)])
  return graph.add('ScatterElements', [zerosLike(graph, scores), places, weights], { axis: -1 })
}
