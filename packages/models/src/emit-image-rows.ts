/**
 * Images among token ids: an id past the vocabulary stands for a row of features instead of a row of the embedding table.
 * @module
 */
import { type Graph, int64s, scalar, type Value } from '@awq/onnx'

/** The ids with those past the vocabulary made ids of text, for a table that has no rows for them. */
export const textIds = (graph: Graph, ids: Value, vocabSize: number): Value =>
  graph.add('Min', [ids, scalar(graph, 'int64', vocabSize - 1)])

/**
 * Puts rows of features where the ids say so.
 * @param ids int64 `[batch, sequence]`
 * @param embedded `[batch, sequence, hidden]`, what the other ids stand for
 * @param features `[rows, hidden]`, at least one: row i for the id `vocabSize + i`
 */
export const emitImageRows = (graph: Graph, ids: Value, embedded: Value, features: Value, vocabSize: number): Value => {
  const past = graph.add('Sub', [ids, scalar(graph, 'int64', vocabSize)])
  const rows = graph.add('Gather', [features, graph.add('Max', [past, scalar(graph, 'int64', 0)])], { axis: 0 })
  const isImage = graph.add('GreaterOrEqual', [past, scalar(graph, 'int64', 0)])
  return graph.add('Where', [graph.add('Unsqueeze', [isImage, int64s(graph, [2])]), rows, embedded])
}
