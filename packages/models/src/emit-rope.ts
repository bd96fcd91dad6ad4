/**
 * Rotary tables made by the graph itself, for callers that feed none.
 * @module
 */
import { type Graph, reshape, scalar, type Value } from '@awq/onnx'
import { type AttentionForm, ropeFactor } from './attention.ts'
import type { ModelDescription } from './describe.ts'
import { ropeFrequencies } from './rope.ts'
import type { ActivationType, SequenceInputs } from './sequence.ts'

/**
 * How many positions one set of rotary tables serves: the context, or that of the first training where longer sequences
 * are turned by other frequencies, which a graph with one set of tables does not have.
 */
export const ropePositions = ({ config, sequence }: ModelDescription): number =>
  sequence.ropes.reduce((least, { rope: { scaling } }) => {
    if (scaling.type === 'longrope') return Math.min(least, scaling.originalContextLength)
    return scaling.type === 'dynamic' ? Math.min(least, scaling.contextLength) : least
  }, config.contextLength)

/**
 * The tables of `ropeFeeds` for positions 0 to `positions - 1`, as nodes over constants: ONNX Runtime computes them while
 * it loads the graph, and the file holds the frequencies alone.
 */
export const emitRopeTables = (
  graph: Graph,
  { sequence }: Pick<ModelDescription, 'sequence'>,
  form: AttentionForm,
  positions: number,
  dtype: ActivationType,
): SequenceInputs['ropes'] => {
  const bounds = [0, positions, 1].map((bound) => scalar(graph, 'int64', bound))
  const column = () =>
    reshape(graph, graph.add('Cast', [graph.add('Range', bounds)], { to: 'float32' }), [positions, 1])
  let rows: Value | undefined
  return sequence.ropes.map((need) => {
    const { rope } = need
    rows ??= column()
    const { frequencies, factor } = ropeFrequencies(rope, rope.width, positions, rope.span)
    const angles = graph.add('Mul', [rows, graph.constant('float32', [frequencies.length], frequencies)])
    const table = (op: 'Cos' | 'Sin'): Value => {
      const whole = graph.add('Mul', [
        graph.add(op, [angles]),
        scalar(graph, 'float32', factor * ropeFactor(form, need)),
      ])
      return dtype === 'float32' ? whole : graph.add('Cast', [whole], { to: dtype })
    }
    return { cos: table('Cos'), sin: table('Sin') }
  })
}
