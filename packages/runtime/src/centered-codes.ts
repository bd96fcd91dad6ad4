/**
 * Codes of 4 bits with zero points as codes of 8 bits around the middle of their range, for kernels that take no zero points.
 * Nodes over constants, which ONNX Runtime computes while it loads the graph: the device gets twice the bytes.
 * @module
 */
import { type Graph, reshape, scalar, slice, type Value } from '@awq/onnx'

/** The two codes of a byte, low bits first. */
const pairs = (): Uint8Array => Uint8Array.from({ length: 512 }, (_, i) => (i % 2 === 0 ? (i >> 1) & 15 : i >> 5))

/** `code - zero + 128` for the two codes of each byte, for each zero point. */
const centeredPairs = (): Uint8Array =>
  Uint8Array.from({ length: 16 * 512 }, (_, i) => {
    const [zero, byte] = [i >> 9, (i >> 1) & 255]
    return (i % 2 === 0 ? byte & 15 : byte >> 4) - zero + 128
  })

const lookUp = (graph: Graph, table: Uint8Array, places: Value): Value =>
  graph.add('Gather', [graph.constant('uint8', [table.length / 2, 2], table), places], { axis: 0 })

const widened = (graph: Graph, x: Value): Value => graph.add('Cast', [x], { to: 'int32' })

/**
 * The codes of the same matrix when `(code - 128) * scale` is what they stand for, exactly: differences of two codes of 4
 * bits fit.
 * @param codes uint8 `[rows, blocks * bytes]`
 * @param zeroPoints uint8 `[rows, ceil(blocks / 2)]`
 * @returns uint8 `[rows, blocks * bytes * 2]`
 */
export const centerCodes = (graph: Graph, codes: Value, zeroPoints: Value, blocks: number): Value => {
  const [rows, bytes] = codes.shape as [number, number]
  const unpacked = reshape(graph, lookUp(graph, pairs(), widened(graph, zeroPoints)), [rows, -1])
  const zeros = reshape(graph, slice(graph, unpacked, { axis: 1, start: 0, end: blocks }), [rows, blocks, 1])
  const table = graph.add('Mul', [widened(graph, zeros), scalar(graph, 'int32', 256)])
  const places = graph.add('Add', [reshape(graph, widened(graph, codes), [rows, blocks, bytes / blocks]), table])
  return reshape(graph, lookUp(graph, centeredPairs(), places), [rows, bytes * 2])
}
