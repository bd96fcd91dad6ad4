/**
 * Rotary tables made by the graph itself, for callers that feed none.
 * @module
 */
import { type Graph, type OnnxType, reshape, scalar, type Value } from '@awq/onnx'
import { type AttentionForm, ropeFactor } from './attention.ts'
import type { ModelDescription } from './describe.ts'
import { ropeFrequencies } from './rope.ts'
import { type ActivationType, ropeFeeds, type SequenceInputs } from './sequence.ts'

/** Positions whose rows the file holds: a megabyte for heads of 64. */
const HELD = 2048

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
 * The tables of `ropeFeeds` for positions 0 to `positions - 1`. The first 2048 are constants with the same bits. The rest are
 * nodes over the frequencies, which ONNX Runtime computes while it loads the graph: their last bits may differ, since that is done
 * in float32. The build of ONNX Runtime Web that has WebGPU, which transformers.js loads in browsers, has no float64 at all.
 */
export const emitRopeTables = (
  graph: Graph,
  { sequence }: Pick<ModelDescription, 'sequence'>,
  form: AttentionForm,
  positions: number,
  dtype: ActivationType,
): SequenceInputs['ropes'] => {
  const held = Math.min(positions, HELD)
  const times = (x: Value, factor: number): Value =>
    factor === 1 ? x : graph.add('Mul', [x, scalar(graph, 'float32', factor)])
  const cast = (x: Value, to: OnnxType): Value => (to === 'float32' ? x : graph.add('Cast', [x], { to }))
  let rows: Value | undefined
  return sequence.ropes.map((need) => {
    const { rope } = need
    const { cos, sin } = Object.fromEntries(
      Object.entries(ropeFeeds({ sequence: { ...sequence, ropes: [need] } }, form, held, dtype, positions)).map(
        ([name, { shape, data }]) => [name.split('.')[1]!, graph.constant(dtype, shape, data)],
      ),
    ) as { cos: Value; sin: Value }
    if (held === positions) return { cos, sin }
    rows ??= reshape(
      graph,
      graph.add(
        'Cast',
        [
          graph.add(
            'Range',
            [held, positions, 1].map((bound) => scalar(graph, 'int64', bound)),
          ),
        ],
        {
          to: 'float32',
        },
      ),
      [positions - held, 1],
    )
    const { frequencies, factor } = ropeFrequencies(rope, rope.width, positions, rope.span)
    const angles = graph.add('Mul', [rows, graph.constant('float32', [frequencies.length], frequencies)])
    const scale = ropeFactor(form, need)
    const table = (first: Value, operator: 'Cos' | 'Sin'): Value => {
      const rest = times(times(graph.add(operator, [angles]), factor), scale)
      return graph.add('Concat', [first, cast(rest, dtype)], { axis: 0 })
    }
    return { cos: table(cos, 'Cos'), sin: table(sin, 'Sin') }
  })
}
