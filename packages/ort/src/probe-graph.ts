import { Graph } from '@awq/onnx'

/** A graph of one matrix product, `y = x x` for x [2, 2]: every device's provider has a kernel for it. */
export function probeGraph(): Uint8Array {
  const graph = new Graph('probe')
  const x = graph.input('x', 'float32', [2, 2])
  graph.output('y', graph.add('MatMul', [x, x]))
  return graph.toBytes()
}
