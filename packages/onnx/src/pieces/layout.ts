import type { Graph } from '../graph.ts'
import type { Shape, Value } from '../types.ts'
import { int64s } from './constants.ts'

/** What a piece's own name and result shape may be, as in `Graph.add`. */
export interface PieceOptions {
  readonly name?: string | undefined
  readonly shape?: Shape | undefined
}

/** Reshape to `dims`; 0 copies the input's size at that place, -1 (once) takes what is left. */
export function reshape(graph: Graph, value: Value, dims: readonly number[], options: PieceOptions = {}): Value {
  return graph.add('Reshape', [value, int64s(graph, dims)], {}, options)
}

/** The elements `start` to `end` (exclusive) along one axis; negative bounds count from the end, no `end` is the end. */
export function slice(
  graph: Graph,
  value: Value,
  { axis, start, end = 2 ** 31 - 1 }: { axis: number; start: number; end?: number | undefined },
  options: PieceOptions = {},
): Value {
  const bounds = [[start], [end], [axis]].map((bound) => int64s(graph, bound))
  return graph.add('Slice', [value, ...bounds], {}, options)
}
