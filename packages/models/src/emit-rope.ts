/**
 * Rotary tables made by the graph itself, for callers that feed none.
 * @module
 */
import { type Graph, type OnnxType, reshape, scalar, type Value } from '@awq/onnx'
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
 * it loads the graph, and the file holds the frequencies alone. They are rounded where `ropeFeeds` rounds, so that both give
 * the same bits.
 */
export const emitRopeTables = (
  graph: Graph,
  { sequence }: Pick<ModelDescription, 'sequence'>,
  form: AttentionForm,
  positions: number,
  dtype: ActivationType,
): SequenceInputs['ropes'] => {
  const cast = (x: Value, to: OnnxType): Value => graph.add('Cast', [x], { to })
  /** The product in float64, rounded to float32. */
  const times = (x: Value, factor: number): Value =>
    cast(graph.add('Mul', [x, scalar(graph, 'float64', factor)]), 'float32')
  const bounds = [0, positions, 1].map((bound) => scalar(graph, 'int64', bound))
  let rows: Value | undefined
  return sequence.ropes.map((need) => {
    const { rope } = need
    rows ??= reshape(graph, cast(graph.add('Range', bounds), 'float32'), [positions, 1])
    const { frequencies, factor } = ropeFrequencies(rope, rope.width, positions, rope.span)
    const angles = cast(
      graph.add('Mul', [rows, graph.constant('float32', [frequencies.length], frequencies)]),
      'float64',
    )
    const scale = ropeFactor(form, need)
    const half = graph.add('Sin', [graph.add('Mul', [angles, scalar(graph, 'float64', 0.5)])])
    // cos x = 1 - 2 sin(x/2)^2: older releases of ONNX Runtime have no cosine in float64.
    const cosines = graph.add('Sub', [
      scalar(graph, 'float64', 1),
      graph.add('Mul', [graph.add('Mul', [half, half]), scalar(graph, 'float64', 2)]),
    ])
    const table = (values: Value): Value => {
      const whole = times(values, factor)
      const scaled = scale === 1 ? whole : times(cast(whole, 'float64'), scale)
      return dtype === 'float32' ? scaled : cast(scaled, dtype)
    }
    return { cos: table(cosines), sin: table(graph.add('Sin', [angles])) }
  })
}
