import type { Graph } from '../graph.ts'
import type { OnnxType, Value } from '../types.ts'

const made = new WeakMap<Graph, Map<string, Value>>()

/** The value `make` gives, made once per graph and key. */
function once(graph: Graph, key: string, make: () => Value): Value {
  const known = made.get(graph) ?? new Map<string, Value>()
  made.set(graph, known)
  const value = known.get(key) ?? make()
  known.set(key, value)
  return value
}

/** A scalar constant; asking again for the same one gives the same value. */
export function scalar(graph: Graph, dtype: OnnxType, value: number): Value {
  const key = `${dtype} ${Object.is(value, -0) ? '-0' : value}`
  return once(graph, key, () => graph.constant(dtype, [], [value]))
}

/** A one-dimensional int64 constant, for axes, shapes and bounds; asking again for the same one gives the same value. */
export function int64s(graph: Graph, values: readonly number[]): Value {
  return once(graph, `[${values.join(' ')}]`, () => graph.constant('int64', [values.length], values))
}

/** A one-dimensional constant of floating point; asking again for the same one gives the same value. */
export function floats(graph: Graph, dtype: OnnxType, values: readonly number[]): Value {
  return once(graph, `${dtype} [${values.join(' ')}]`, () => graph.constant(dtype, [values.length], values))
}
