/**
 * Attention sinks (arXiv 2309.17453; gpt-oss): a logit of each head that takes part of the weight and mixes in nothing.
 * @module
 */
import { type Graph, int64s, reshape, slice, type Value } from '@awq/onnx'
import { headRows } from './head-rows.ts'
import type { AttentionStep } from './steps.ts'

/**
 * Softmax over scores and the head's sink, without the sink's own weight.
 * @param scores `[batch, kvHeads, heads / kvHeads * sequence, columns]`, masked
 * @param sinks `[heads]`
 * @param query `[batch, heads, sequence, headDim]`
 */
export const emitSinkSoftmax = (
  graph: Graph,
  scores: Value,
  sinks: Value,
  query: Value,
  { heads, kvHeads }: AttentionStep,
): Value => {
  const rows = headRows(graph, reshape(graph, sinks, [kvHeads, heads / kvHeads, 1]), query)
  const leading = graph.add('Shape', [scores], { start: 0, end: 3 })
  const column = graph.add('Expand', [rows, graph.add('Concat', [leading, int64s(graph, [1])], { axis: 0 })])
  const weights = graph.add('Softmax', [graph.add('Concat', [scores, column], { axis: 3 })], { axis: -1 })
  return slice(graph, weights, { axis: 3, start: 0, end: -1 })
}
