import type { Graph } from '../graph.ts'
import type { Value } from '../types.ts'
import { scalar } from './constants.ts'

/**
 * Rounds to the nearest integer, ties to even, as ONNX Round does. With `native: false` it is built from Floor and
 * comparisons, for providers without a Round kernel (WebGPU); the results are the same for every finite float.
 *
 * x = f + d with f = floor(x): one is added where d > 1/2, or where d = 1/2 and f is odd. d is exact except for
 * -1 < x < 0, where it may round to 1/2 or 1 from below or above; there f = -1 is odd, and both give the right 0.
 */
export function roundHalfEven(graph: Graph, value: Value, { native }: { readonly native: boolean }): Value {
  if (native) return graph.add('Round', [value])
  const number = (x: number) => scalar(graph, value.dtype, x)
  const floor = graph.add('Floor', [value])
  const rest = graph.add('Sub', [value, floor])
  const halved = graph.add('Mul', [floor, number(0.5)])
  const odd = graph.add('Less', [graph.add('Floor', [halved]), halved])
  const tie = graph.add('Equal', [rest, number(0.5)])
  const above = graph.add('Greater', [rest, number(0.5)])
  const up = graph.add('Or', [above, graph.add('And', [tie, odd])])
  return graph.add('Add', [floor, graph.add('Cast', [up], { to: value.dtype })])
}
