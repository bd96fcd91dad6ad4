import { type Graph, int64s, type Value } from '@awq/onnx'

/**
 * A number of each query head as a column of the plain form's scores: `[kvHeads, heads / kvHeads, 1]` to
 * `[kvHeads, heads / kvHeads * sequence, 1]`.
 * @param query `[batch, heads, sequence, headDim]`
 */
export const headRows = (graph: Graph, each: Value, query: Value): Value => {
  const [kvHeads, shared] = each.shape as [number, number, number]
  const length = graph.add('Shape', [query], { start: 2, end: 3 })
  const shape = graph.add('Concat', [int64s(graph, [kvHeads, shared]), length], { axis: 0 })
  return graph.add('Reshape', [graph.add('Expand', [each, shape]), int64s(graph, [kvHeads, -1, 1])])
}
