/**
 * tr(E G E^T) for a symmetric G, at little more than half the arithmetic of the plain product: with the columns in
 * blocks, it is the sum over blocks b of <E[:, up to b] U_b, E_b>, where U_b holds block column b of G down to the
 * diagonal, everything above the diagonal block doubled.
 * @module
 */
import { type Graph, int64s, slice, type Value } from '@awq/onnx'
import { type Tensor, tensor } from '@awq/ort'

/** Columns start..end. */
interface Block {
  readonly start: number
  readonly end: number
}

/**
 * The column blocks for a `width`: none below 256 (nothing to save), else four, or eight from 1536 on. Widths of
 * blocks are multiples of 16, as matrix kernels like them.
 */
export function columnBlocks(width: number): Block[] {
  const wanted = width < 256 ? 1 : width < 1536 ? 4 : 8
  const size = Math.ceil(width / wanted / 16) * 16
  const blocks: Block[] = []
  for (let start = 0; start < width; start += size) blocks.push({ start, end: Math.min(width, start + size) })
  return blocks
}

const blockName = (index: number) => `gram.${index}`

/**
 * The blocks U_b [end, end - start] of `gram` as feeds of {@link emitGramForm}.
 * @param gram [width, width], symmetric: only its upper triangle is read
 * @param padded columns that the errors have; those from `width` on get zeros
 */
export function gramFeeds(gram: Float32Array, width: number, padded: number): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {}
  columnBlocks(padded).forEach(({ start, end }, index) => {
    const size = end - start
    const block = new Float32Array(end * size)
    const stop = Math.min(end, width)
    for (let row = 0; row < stop; row++) {
      if (stop > start) block.set(gram.subarray(row * width + start, row * width + stop), row * size)
    }
    for (let at = 0; at < start * size; at++) block[at]! *= 2
    feeds[blockName(index)] = tensor('float32', [end, size], block)
  })
  return feeds
}

/** Adds the inputs of {@link gramFeeds} and returns tr(E G E^T), a scalar, for `error` [rows, padded]. */
export function emitGramForm(graph: Graph, error: Value, padded: number): Value {
  const blocks = columnBlocks(padded)
  const sizes = blocks.map(({ start, end }) => end - start)
  const columns =
    blocks.length === 1
      ? [error]
      : graph.addAll('Split', [error, int64s(graph, sizes)], { axis: 1 }, { outputs: blocks.length })
  const parts = blocks.map(({ start, end }, index) => {
    const gram = graph.input(blockName(index), 'float32', [end, end - start])
    const left = end === padded ? error : index === 0 ? columns[0]! : slice(graph, error, { axis: 1, start: 0, end })
    const product = graph.add('Mul', [graph.add('MatMul', [left, gram]), columns[index]!])
    return graph.add('ReduceSum', [product], { keepdims: 0 })
  })
  return parts.reduce((sum, part) => graph.add('Add', [sum, part]))
}
