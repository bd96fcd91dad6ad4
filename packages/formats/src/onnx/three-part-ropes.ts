/**
 * Rotary tables of tokens whose positions have three parts (time, row, column), from positions that the caller gives.
 * @module
 */
import {
  type ActivationType,
  type AttentionForm,
  type ModelDescription,
  ropeFactor,
  ropeFrequencies,
  type SequenceInputs,
} from '@awq/models'
import { type Graph, reshape, scalar, type Value } from '@awq/onnx'

/** Whether positions have three parts. */
export const hasThreeParts = ({ sequence }: Pick<ModelDescription, 'sequence'>): boolean =>
  sequence.ropes.some(({ rope }) => rope.sections)

/**
 * Tables with a row for each token, `[batch * sequence, width / 2]`, and where each token finds its row.
 * @param places int64 `[batch, sequence]`: how many tokens are before each
 */
export const threePartRopes = (
  graph: Graph,
  { sequence }: Pick<ModelDescription, 'sequence'>,
  form: AttentionForm,
  positions: number,
  places: Value,
  dtype: ActivationType,
): Required<Pick<SequenceInputs, 'ropes' | 'start'>> => {
  const given = graph.input('position_ids', 'int64', [3, 'batch_size', 'sequence_length'])
  // No token stands behind the place that it has in text. transformers.js 4.3.1 puts those that follow a prompt without
  // images there, by three times its length.
  const parts = graph.add('Cast', [graph.add('Min', [given, places])], { to: 'float32' })
  const ropes = sequence.ropes.map((need) => {
    const { rope } = need
    const half = rope.width / 2
    const { frequencies, factor } = ropeFrequencies(rope, rope.width, positions, rope.span)
    const [time, row] = rope.sections ?? [half, 0, 0]
    const partOf = Array.from({ length: half }, (_, i) => (i < time ? 0 : i < time + row ? 1 : 2))
    const chosen = graph.add('Gather', [parts, graph.constant('int64', [half], partOf)], { axis: 0 })
    const turns = graph.add('Transpose', [chosen], { perm: [1, 2, 0] })
    const angles = reshape(graph, graph.add('Mul', [turns, graph.constant('float32', [half], frequencies)]), [-1, half])
    const scale = factor * ropeFactor(form, need)
    const table = (operator: 'Cos' | 'Sin'): Value => {
      const values = graph.add(operator, [angles])
      const scaled = scale === 1 ? values : graph.add('Mul', [values, scalar(graph, 'float32', scale)])
      return dtype === 'float32' ? scaled : graph.add('Cast', [scaled], { to: dtype })
    }
    return { cos: table('Cos'), sin: table('Sin') }
  })
  const shape = graph.add('Shape', [places])
  const count = graph.add('ReduceProd', [shape], { keepdims: 0 })
  const rows = graph.add('Range', [scalar(graph, 'int64', 0), count, scalar(graph, 'int64', 1)])
  return { ropes, start: graph.add('Reshape', [rows, shape], {}, { shape: ['batch_size', 'sequence_length'] }) }
}
