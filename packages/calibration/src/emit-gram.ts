/**
 * Sums of products of columns as additions to a graph.
 * @module
 */
import { type Graph, int64s, type Value } from '@awq/onnx'
import { gramBlocks, gramPieces, nextName, type Piece } from './layout.ts'

const splitColumns = (graph: Graph, x: Value, pieces: readonly Piece[]): readonly Value[] => {
  if (pieces.length === 1) return [x]
  const sizes = pieces.map(({ start, end }) => end - start)
  return graph.addAll('Split', [x, int64s(graph, sizes)], { axis: 1 }, { outputs: sizes.length })
}

/** Adds `left^T right` to the accumulator of that name, by Gemm with the old value as its C. @param shape of the product */
export const emitProductSum = (
  graph: Graph,
  name: string,
  left: Value,
  right: Value,
  shape: readonly [number, number],
): void => {
  const before = graph.input(name, 'float32', shape)
  graph.output(nextName(name), graph.add('Gemm', [left, right, before], { transA: 1 }))
}

/**
 * Sums up `x^T x` in the blocks of `gramBlocks`, each an accumulator of its own.
 * @param x `[tokens, width]`
 * @param nameOf the accumulator of block k
 * @returns the columns of each piece of `gramPieces`, as matrices of their own
 */
export const emitGramSums = (
  graph: Graph,
  x: Value,
  width: number,
  nameOf: (block: number) => string,
): readonly Value[] => {
  const columns = splitColumns(graph, x, gramPieces(width))
  for (const [index, { row, column, rows, columns: across }] of gramBlocks(width).entries()) {
    const shape = [rows.end - rows.start, across.end - across.start] as const
    emitProductSum(graph, nameOf(index), columns[row]!, columns[column]!, shape)
  }
  return columns
}
