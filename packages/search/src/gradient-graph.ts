import { Graph, int64s, reshape, scalar as scalarOf, type Value } from '@awq/onnx'
import type { QuantSpec } from '@awq/quantize'
import { emitError, emitGrid, emitRanges } from './fake-quantize.ts'

/**
 * The linear objective and its gradient for log s, with rounding differentiated as if it were not there (the
 * straight-through estimate, arXiv 1308.3432) and the step size of a group as LSQ does (arXiv 1902.08153).
 *
 * With V = W S, E = Q(V) S^-1 - W and L = tr(E G E^T), rounding error is proportional to the group's step: scaling a
 * channel up shrinks its own error, and where the channel holds an end of its group's range it widens the step of all.
 * With A = 2 (E G) * E (elementwise) and T its sum over the group,
 *
 *   dL / d log s_j = sum over rows of  -A_j + T * share_j
 *
 * where share_j is high / (high - low) for the column that holds the high end, -low / (high - low) for the low end, and 0
 * elsewhere (symmetric: 1 for the column of the largest magnitude).
 *
 * Inputs: `weight` [rows, padded], `scale` and `inverse` [padded], `gram` [padded, padded]. Outputs: `loss`, a scalar, and
 * `gradient` [padded].
 */
export function scaleGradientGraph(padded: number, groupSize: number, spec: QuantSpec): Graph {
  const graph = new Graph('scale-gradient')
  const weight = graph.input('weight', 'float32', ['rows', padded])
  const scale = graph.input('scale', 'float32', [padded])
  const inverse = graph.input('inverse', 'float32', [padded])
  const gram = graph.input('gram', 'float32', [padded, padded])
  const number = (value: number) => scalarOf(graph, 'float32', value)
  const groups = reshape(graph, graph.add('Mul', [weight, scale]), [-1, groupSize])
  const { low, high } = emitRanges(graph, groups)
  const scaled = emitError(graph, groups, emitGrid(graph, low, high, spec), spec)
  const error = graph.add('Mul', [reshape(graph, scaled, [-1, padded]), inverse])
  const product = graph.add('Mul', [graph.add('MatMul', [error, gram]), error])
  graph.output('loss', graph.add('ReduceSum', [product], { keepdims: 0 }))
  const byGroup = reshape(graph, product, [-1, groupSize])
  const ofGroup = graph.add('ReduceSum', [byGroup, int64s(graph, [1])], { keepdims: 0 })
  const column = (value: Value) => graph.add('Unsqueeze', [value, int64s(graph, [1])])
  const part = (end: Value, values: Value, share: Value) => {
    const holds = graph.add('Equal', [values, column(end)])
    return graph.add('Where', [holds, column(graph.add('Mul', [ofGroup, share])), number(0)])
  }
  const tiny = number(1e-30)
  const ends = spec.symmetric
    ? (() => {
        const most = graph.add('Max', [graph.add('Neg', [low]), high])
        return part(most, graph.add('Abs', [groups]), number(1))
      })()
    : (() => {
        const range = graph.add('Max', [graph.add('Sub', [high, low]), tiny])
        const ofHigh = part(high, groups, graph.add('Div', [high, range]))
        const ofLow = part(low, groups, graph.add('Div', [graph.add('Neg', [low]), range]))
        return graph.add('Add', [ofHigh, ofLow])
      })()
  const perWeight = reshape(graph, graph.add('Sub', [ends, byGroup]), [-1, padded])
  const sum = graph.add('ReduceSum', [perWeight, int64s(graph, [0])], { keepdims: 0 })
  graph.output('gradient', graph.add('Mul', [sum, number(2)]))
  return graph
}
