import type { Graph } from '../graph.ts'
import type { Value } from '../types.ts'
import { int64s, scalar } from './constants.ts'
import type { PieceOptions } from './layout.ts'

export interface RmsNormOptions extends PieceOptions {
  /** Added to the mean of squares. */
  readonly epsilon: number
  /** One SimplifiedLayerNormalization node, which ONNX Runtime has on every provider, or standard operators only. */
  readonly fused?: boolean | undefined
}

/**
 * Root-mean-square normalization (arXiv 1910.07467) over the last axis: x / sqrt(mean(x^2) + epsilon) * weight, with
 * weight of that axis' size. Fused unless told otherwise.
 */
export function rmsNorm(
  graph: Graph,
  x: Value,
  weight: Value,
  { epsilon, fused = true, name, shape }: RmsNormOptions,
): Value {
  if (fused) {
    return graph.add('SimplifiedLayerNormalization', [x, weight], { axis: -1, epsilon, stash_type: 1 }, { name, shape })
  }
  const mean = graph.add('ReduceMean', [graph.add('Mul', [x, x]), int64s(graph, [-1])], { keepdims: 1 })
  const deviation = graph.add('Sqrt', [graph.add('Add', [mean, scalar(graph, x.dtype, epsilon)])])
  return graph.add('Mul', [graph.add('Div', [x, deviation]), weight], {}, { name, shape })
}
