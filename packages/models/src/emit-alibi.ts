/**
 * Attention with linear biases (arXiv 2108.12409).
 * @module
 */
import { type Graph, scalar, type Value } from '@awq/onnx'
import { headRows } from './head-rows.ts'
import type { AttentionStep } from './steps.ts'

/**
 * Slopes of so many heads: `2^(-8 (h + 1) / n)` for a power of two n; for other numbers those of the power below, then
 * every other one of the power above (section 3 of the paper and its code).
 * @param maxBias 8 in the paper
 */
export const alibiSlopes = (heads: number, maxBias = 8): number[] => {
  const power = 2 ** Math.floor(Math.log2(heads))
  const geometric = (count: number) => Array.from({ length: count }, (_, i) => 2 ** ((-maxBias * (i + 1)) / count))
  const between = geometric(2 * power).filter((_, i) => i % 2 === 0)
  return [...geometric(power), ...between.slice(0, heads - power)]
}

/**
 * Scores with `slope * key position` added: the same weights as with `slope * (key position - query position)`, because a
 * softmax takes no notice of what its whole row has in common.
 * @param scores `[batch, kvHeads, heads / kvHeads * sequence, columns]`
 * @param query `[batch, heads, sequence, headDim]`
 * @param keyPositions `[columns]`
 */
export const emitAlibi = (
  graph: Graph,
  scores: Value,
  query: Value,
  { alibi, heads, kvHeads, scale }: AttentionStep,
  keyPositions: Value,
): Value => {
  const { slopes, bfloat16, scaled } = alibi!
  const shared = heads / kvHeads
  const each = graph.constant('float32', [kvHeads, shared, 1], [...slopes])
  const rows = headRows(graph, each, query)
  // The bias of a head is the same in all rows: rounding it rounds what other programs round.
  const exact = graph.add('Mul', [rounded(graph, rows, bfloat16), keyPositions])
  const bias = rounded(graph, exact, bfloat16)
  const factored = scaled ? graph.add('Mul', [bias, scalar(graph, 'float32', scale)]) : bias
  const typed = scores.dtype === 'float32' ? factored : graph.add('Cast', [factored], { to: scores.dtype })
  return graph.add('Add', [scores, typed])
}

const rounded = (graph: Graph, x: Value, bfloat16 = false): Value =>
  bfloat16 ? graph.add('Cast', [graph.add('Cast', [x], { to: 'bfloat16' })], { to: 'float32' }) : x
