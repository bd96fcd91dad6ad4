/**
 * The residual stream and the norms that read it. A sum that is read by a norm alone is left to the norm: one operator
 * adds, normalises and gives the sum on.
 * @module
 */
import type { Graph, Value } from '@awq/onnx'

/** Two values that are to be added, `[batch, sequence, hidden]` each. */
export interface PendingSum {
  readonly left: Value
  readonly right: Value
}

/** The residual stream: a value, or a sum that no node has made yet. */
export type Residual = Value | PendingSum

const isPending = (x: Residual): x is PendingSum => 'left' in x

/** The residual stream as a value: makes the sum where it is pending. */
export const emitResidual = (graph: Graph, x: Residual): Value =>
  isPending(x) ? graph.add('Add', [x.left, x.right]) : x

/** RMS norm over the last axis: `x / sqrt(mean(x^2) + epsilon) * weight` (arXiv 1910.07467). */
const emitRmsNorm = (graph: Graph, x: Value, weight: Value, epsilon: number): Value =>
  graph.add('SimplifiedLayerNormalization', [x, weight], { axis: -1, epsilon, stash_type: 1 })

/** The norm of the residual stream, and the stream as a value for whoever reads it next. */
export const emitResidualNorm = (
  graph: Graph,
  x: Residual,
  weight: Value,
  epsilon: number,
): { readonly normed: Value; readonly residual: Value } => {
  if (!isPending(x)) return { normed: emitRmsNorm(graph, x, weight, epsilon), residual: x }
  const [normed, residual] = graph.addAll(
    'SkipSimplifiedLayerNormalization',
    [x.left, x.right, weight],
    { epsilon },
    { outputs: [true, false, false, true] },
  )
  return { normed: normed!, residual: residual! }
}

/** The norm of the residual stream where nothing reads the stream afterwards. */
export const emitFinalNorm = (graph: Graph, x: Residual, weight: Value, epsilon: number): Value =>
  isPending(x)
    ? graph.addAll('SkipSimplifiedLayerNormalization', [x.left, x.right, weight], { epsilon }, { outputs: 1 })[0]!
    : emitRmsNorm(graph, x, weight, epsilon)
