/**
 * Sums over tokens of q q^T and q t^T, for the value q of a site and what its linears are asked for.
 * @module
 */
import { type Graph, reshape, type Value } from '@awq/onnx'
import { type Tensor, zeros } from '@awq/ort'
import { AwqError } from '@awq/tensor'
import { emitGramSums, emitProductSum } from './emit-gram.ts'
import { assembleGram, gramBlocks, gramPieces, nextName } from './layout.ts'

const gramName = (block: number) => `gram.${block}`
const crossName = (piece: number) => `cross.${piece}`

/**
 * Adds to a graph what sums up q q^T and q t^T: inputs `gram.K` and `cross.K` with the sums so far, outputs with `.next` behind.
 * @param q `[batch, sequence, width]`
 * @param target `[batch, sequence, targets]`
 */
export const emitDriftSums = (graph: Graph, q: Value, target: Value): void => {
  const width = q.shape.at(-1) as number
  const targets = target.shape.at(-1) as number
  const wanted = reshape(graph, target, [-1, targets])
  const columns = emitGramSums(graph, reshape(graph, q, [-1, width]), width, gramName)
  for (const [index, { start, end }] of gramPieces(width).entries())
    emitProductSum(graph, crossName(index), columns[index]!, wanted, [end - start, targets])
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
    into: Object.fromEntries(Object.entries(feeds).map(([name, sum]) => [nextName(name), sum])),
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
