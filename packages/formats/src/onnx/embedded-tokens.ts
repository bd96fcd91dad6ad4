/**
 * Tokens that the caller of a decoder embeds, rows of images among them: transformers.js puts the features of images into
 * the embeddings of their placeholders by itself.
 * @module
 */
import type { ActivationType, ModelDescription } from '@awq/models'
import { type Graph, int64s, scalar, slice, type Value } from '@awq/onnx'

/**
 * Whether tokens of images see those behind them. Then embeddings and features have one column more than the residual stream,
 * 1 for a row of an image and 0 for text: it is how the decoder learns which they are, since nothing else crosses over.
 */
export const isMarked = ({ vision }: Pick<ModelDescription, 'vision'>): boolean =>
  vision !== null && vision.attention !== 'causal'

/** Puts the column of marks behind embeddings or features, where there is one. */
export const withMark = (graph: Graph, x: Value, description: Pick<ModelDescription, 'vision'>, mark: 0 | 1): Value => {
  if (!isMarked(description)) return x
  const first = slice(graph, x, { axis: -1, start: 0, end: 1 })
  const zeros = graph.add('Mul', [first, scalar(graph, 'float32', 0)])
  return graph.add('Concat', [x, graph.add('Add', [zeros, scalar(graph, 'float32', mark)])], { axis: -1 })
}

/** Embedded tokens, and which of them see each other. */
export interface EmbeddedTokens {
  /** `[batch, sequence, hidden]` of the activations' type. */
  readonly embedded: Value
  /** bool `[batch, 1, sequence, sequence]`; absent where no token sees those behind it. */
  readonly together?: Value | undefined
}

/** Tokens of one run of marks: those whose runs have the same number. */
const sameImage = (graph: Graph, mark: Value): Value => {
  const isImage = graph.add('Greater', [mark, scalar(graph, 'float32', 0.5)])
  const counted = graph.add('Cast', [isImage], { to: 'int64' })
  // A run begins where the token before is none of an image.
  const before = graph.add('Pad', [counted, int64s(graph, [0, 1, 0, -1])])
  const begins = graph.add('Max', [graph.add('Sub', [counted, before]), scalar(graph, 'int64', 0)])
  const runs = graph.add('CumSum', [begins, scalar(graph, 'int64', 1)])
  const numbered = graph.add('Mul', [runs, counted])
  const rows = graph.add('Unsqueeze', [numbered, int64s(graph, [1, 3])])
  const columns = graph.add('Unsqueeze', [numbered, int64s(graph, [1, 2])])
  const images = graph.add('Greater', [rows, scalar(graph, 'int64', 0)])
  return graph.add('And', [graph.add('Equal', [rows, columns]), images])
}

/** All tokens of a sequence with an image. */
const samePrompt = (graph: Graph, mark: Value): Value => {
  const most = graph.add('ReduceMax', [mark, int64s(graph, [1])], { keepdims: 1 })
  const has = graph.add('Greater', [most, scalar(graph, 'float32', 0.5)])
  const rows = graph.add('GreaterOrEqual', [mark, scalar(graph, 'float32', 0)])
  const every = graph.add('And', [rows, has])
  const one = graph.add('Unsqueeze', [every, int64s(graph, [1, 3])])
  return graph.add('And', [one, graph.add('Unsqueeze', [every, int64s(graph, [1, 2])])])
}

/** Declares `inputs_embeds` float32 `[batch_size, sequence_length, hidden]`, with the column of marks where there is one. */
export const embeddedTokens = (
  graph: Graph,
  description: Pick<ModelDescription, 'config' | 'vision'>,
  dtype: ActivationType,
): EmbeddedTokens => {
  const { hiddenSize } = description.config
  const marked = isMarked(description)
  const width = hiddenSize + (marked ? 1 : 0)
  const given = graph.input('inputs_embeds', 'float32', ['batch_size', 'sequence_length', width])
  const typed = (x: Value): Value => (dtype === 'float32' ? x : graph.add('Cast', [x], { to: dtype }))
  if (!marked) return { embedded: typed(given) }
  const mark = graph.add('Squeeze', [
    slice(graph, given, { axis: 2, start: hiddenSize, end: width }),
    int64s(graph, [2]),
  ])
  const together = description.vision!.attention === 'image' ? sameImage(graph, mark) : samePrompt(graph, mark)
  return { embedded: typed(slice(graph, given, { axis: 2, start: 0, end: hiddenSize })), together }
}
