/**
 * Codes of 2 bits as codes of 4, for devices whose kernels take no narrower ones. Nodes over constants, which ONNX
 * Runtime computes while it loads the graph: the file keeps its 2 bits, the device gets 4.
 * @module
 */
import { type Graph, reshape, slice, type Value } from '@awq/onnx'

/** Two bytes of two 4-bit codes each for every byte of four 2-bit codes, low bits first; `offset` is added to each code. */
const pairsOf = (offset: number): Uint8Array => {
  const pairs = new Uint8Array(512)
  for (let byte = 0; byte < 256; byte++) {
    const code = (index: number): number => ((byte >> (2 * index)) & 3) + offset
    pairs[2 * byte] = code(0) | (code(1) << 4)
    pairs[2 * byte + 1] = code(2) | (code(3) << 4)
  }
  return pairs
}

const widen = (graph: Graph, packed: Value, offset: number): Value => {
  const pairs = graph.constant('uint8', [256, 2], pairsOf(offset))
  const widened = graph.add('Gather', [pairs, graph.add('Cast', [packed], { to: 'int32' })], { axis: 0 })
  const shape = packed.shape as readonly number[]
  return reshape(graph, widened, [...shape.slice(0, -1), 2 * (shape.at(-1) as number)])
}

/** A matrix's packed codes, and its zero points packed by rows, or null for the middle of the range. */
export interface PackedCodes {
  readonly codes: Value
  readonly zeroPoints: Value | null
}

/**
 * The same matrix with 4 bits a code. Without zero points the middle moves from 2 to 8, and every code with it.
 * @param blocks zero points of a row
 */
export const widenCodes = (graph: Graph, { codes, zeroPoints }: PackedCodes, blocks: number): PackedCodes => ({
  codes: widen(graph, codes, zeroPoints ? 0 : 6),
  zeroPoints:
    zeroPoints && slice(graph, widen(graph, zeroPoints, 0), { axis: 1, start: 0, end: Math.ceil(blocks / 2) }),
})
