/**
 * Sums over tokens of q q^T and q t^T, for the value q of a site and what its linears are asked for.
 * @module
 */
import { type Graph, int64s, reshape, type Value } from '@awq/onnx'
import { type Tensor, zeros } from '@awq/ort'
import { AwqError } from '@awq/tensor'
import { assembleGram, gramBlocks, gramPieces } from './layout.ts'

const gramName = (block: number) => `gram.${block}`
const crossName = (piece: number) => `cross.${piece}`
const next = (name: string) => `${name}.next`

/**
 * Adds to a graph what sums up q q^T and q t^T: inputs `gram.K` and `cross.K` with the sums so far, outputs with `.next` behind.
 * @param q `[batch, sequence, width]`
 * @param target `[batch, sequence, targets]`
 */
export const emitDriftSums = (graph: Graph, q: Value, target: Value): void => {
  const width = q.shape.at(-1) as number
  const targets = target.shape.at(-1) as number
  const pieces = gramPieces(width)
  const rows = reshape(graph, q, [-1, width])
  const wanted = reshape(graph, target, [-1, targets])
  const sizes = pieces.map(({ start, end }) => end - start)
  const columns =
    pieces.length === 1
      ? [rows]
      : graph.addAll('Split', [rows, int64s(graph, sizes)], { axis: 1 }, { outputs: sizes.length })
  const sum = (name: string, left: Value, right: Value, shape: readonly number[]) => {
    const before = graph.input(name, 'float32', shape)
    graph.output(next(name), graph.add('Gemm', [left, right, before], { transA: 1 }))
  }
  for (const [index, { row, column }] of gramBlocks(width).entries())
    sum(gramName(index), columns[row]!, columns[column]!, [sizes[row]!, sizes[column]!])
  for (const [index, piece] of columns.entries()) sum(crossName(index), piece, wanted, [sizes[index]!, targets])
}

/** Means over tokens. */
export interface DriftMeans {
  /** [width, width]: of q q^T. */
  readonly gram: Float32Array
  /** [width, targets]: of q t^T. */
  readonly cross: Float32Array
}

/** Sums, which runs of the graph write over. */
export interface DriftSums {
  readonly feeds: Readonly<Record<string, Tensor>>
  /** The `into` of a run. */
  readonly into: Readonly<Record<string, Tensor>>
  /** @throws AwqError `NUMERIC` when a sum is not finite */
  means(tokens: number, where: string): DriftMeans
}

/** Sums of nothing. */
export const emptyDriftSums = (width: number, targets: number): DriftSums => {
  const size = ({ start, end }: { start: number; end: number }) => end - start
  const grams = gramBlocks(width).map(({ rows, columns }) => zeros('float32', [size(rows), size(columns)]))
  const crosses = gramPieces(width).map((piece) => zeros('float32', [size(piece), targets]))
  const feeds = Object.fromEntries([
    ...grams.map((sum, index) => [gramName(index), sum] as const),
    ...crosses.map((sum, index) => [crossName(index), sum] as const),
  ])
  return {
    feeds,
    into: Object.fromEntries(Object.entries(feeds).map(([name, sum]) => [next(name), sum])),
    means(tokens, where) {
      const gram = assembleGram(
        width,
        grams.map(({ data }) => data as Float32Array),
        tokens,
      )
      const cross = new Float32Array(width * targets)
      let at = 0
      for (const { data } of crosses) for (const value of data as Float32Array) cross[at++] = value / tokens
      if (!(gram.every(Number.isFinite) && cross.every(Number.isFinite)))
        throw new AwqError('NUMERIC', `${where}: an activation is NaN or infinite`)
      return { gram, cross }
    },
  }
}
