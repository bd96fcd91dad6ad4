import type { Graph } from '../graph.ts'
import type { Value } from '../types.ts'

/** x * sigmoid(x), the activation of Llama's MLP (arXiv 1702.03118); ONNX Runtime fuses the two nodes. */
export function silu(graph: Graph, x: Value): Value {
  return graph.add('Mul', [x, graph.add('Sigmoid', [x])])
}
