/**
 * Heads put together from parts, as ONNX nodes.
 * @module
 */
import { type Graph, int64s, reshape, type Value } from '@awq/onnx'
import type { JoinStep } from './steps.ts'

/** Values `[batch, sequence, heads * width]` (or one head for all) to heads of all widths, side by side. */
export const emitJoin = (graph: Graph, read: (name: string) => Value, { parts, heads }: JoinStep): Value => {
  const total = parts.reduce((sum, { width }) => sum + width, 0)
  const split = parts.map(({ from, width, shared }) => reshape(graph, read(from), [0, 0, shared ? 1 : heads, width]))
  const whole = split.map((part, i) => {
    const { width, shared } = parts[i]!
    if (!shared) return part
    const leading = graph.add('Shape', [part], { start: 0, end: 2 })
    const shape = graph.add('Concat', [leading, int64s(graph, [heads, width])], { axis: 0 })
    return graph.add('Expand', [part, shape])
  })
  return reshape(graph, graph.add('Concat', whole, { axis: 3 }), [0, 0, heads * total])
}
