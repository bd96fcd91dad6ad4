/**
 * Soft caps, which keep values within bounds smoothly (Gemma 2, arXiv 2408.00118, section 2).
 * @module
 */
import { type Graph, scalar, type Value } from '@awq/onnx'

/** `cap * tanh(x / cap)`, elementwise. */
export const emitSoftCap = (graph: Graph, x: Value, cap: number): Value => {
  const limit = scalar(graph, x.dtype, cap)
  return graph.add('Mul', [graph.add('Tanh', [graph.add('Div', [x, limit])]), limit])
}
