import type { RoutedTokens } from '@awq/models'
import { type Graph, int64s, reshape, type Value } from '@awq/onnx'
import { AwqError } from '@awq/tensor'
import { emitGramSums } from './emit-gram.ts'
import { statsNames } from './layout.ts'

/**
 * Adds to `graph` what accumulates the statistics of `x` under the name `site`: for X = x as [tokens, width],
 *
 * - `stats.SITE.gram.K` -> `.next`: G + X^T X, by Gemm with the old value as its C, for each block on and below the diagonal;
 * - `stats.SITE.sumAbs` -> `.next`: + sum over tokens of |X|;
 * - `stats.SITE.maxAbs` -> `.next`: max with max over tokens of |X|;
 * - `stats.SITE.rows` (int64 [rows]) -> `stats.SITE.sample`: those rows of X.
 *
 * Of a value of an expert, X has the rows of its tokens alone, times their weights; `stats.SITE.reached` -> `.next` counts them, and `rows`, which
 * are places among all tokens, are spread over them.
 *
 * {@link createAccumulator} owns the buffers behind these names.
 *
 * @param x float32 [..., width], the width known
 * @throws AwqError INVALID_ARGUMENT for another dtype or a symbolic width.
 */
export function observeStats(graph: Graph, site: string, x: Value, routed?: RoutedTokens): void {
  const width = x.shape.at(-1)
  if (x.dtype !== 'float32' || typeof width !== 'number') {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `statistics of '${site}' need float32 activations [..., width] with a known width, not ${x.dtype} [${x.shape.join(', ')}]`,
    )
  }
  const names = statsNames(site)
  const weight = routed?.weight()
  const own = reshape(graph, weight ? graph.add('Mul', [x, weight]) : x, [-1, width])
  // An expert may have no token: a row of zeros adds nothing, and spares the operators an empty matrix.
  const flat = routed
    ? graph.add('Concat', [own, graph.constant('float32', [1, width], new Float32Array(width))], { axis: 0 })
    : own
  const firstAxis = int64s(graph, [0])

  emitGramSums(graph, flat, width, names.gram)

  const magnitude = graph.add('Abs', [flat])
  const sumAbs = graph.input(names.sumAbs, 'float32', [width])
  const total = graph.add('ReduceSum', [magnitude, firstAxis], { keepdims: 0 })
  graph.output(names.next(names.sumAbs), graph.add('Add', [sumAbs, total]))
  const maxAbs = graph.input(names.maxAbs, 'float32', [width])
  const peak = graph.add('ReduceMax', [magnitude, firstAxis], { keepdims: 0 })
  graph.output(names.next(names.maxAbs), graph.add('Max', [maxAbs, peak]))

  const rows = graph.input(names.rows, 'int64', [`${site}.rows`])
  if (!routed) {
    graph.output(names.sample, graph.add('Gather', [flat, rows], { axis: 0 }))
    return
  }
  const reached = graph.input(names.reached, 'float32', [1])
  const more = graph.add('Cast', [routed.reached()], { to: 'float32' })
  graph.output(names.next(names.reached), graph.add('Add', [reached, more]))
  const count = graph.add('Shape', [own], { start: 0, end: 1 })
  const spread = graph.add('Div', [graph.add('Mul', [rows, count]), routed.total()])
  graph.output(names.sample, graph.add('Gather', [flat, spread], { axis: 0 }))
}
