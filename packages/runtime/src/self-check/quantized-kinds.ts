/**
 * Which kinds of quantized products and look-ups a decoder has, each with a matrix of its own to try it on.
 * @module
 */
import type { Graph, GraphNode } from '@awq/onnx'
import type { FileRange } from '@awq/tensor'

/** One kind, and the first rows of a matrix that is of it. */
export interface QuantizedKind {
  readonly op: 'MatMulNBits' | 'GatherBlockQuantized'
  /** Name of the matrix in the graph. */
  readonly name: string
  /** Rows to try it on: of as many as the kernels' shapes may depend on. */
  readonly rows: number
  readonly width: number
  /** Bits of a code in the file, and in the graph, which may be given wider ones. */
  readonly storedBits: 2 | 4 | 8
  readonly bits: number
  readonly blockSize: number
  readonly blocks: number
  /** accuracy_level of MatMulNBits. */
  readonly level: number
  readonly bias: boolean
  /** Where the rows' codes, float16 scales and zero points lie. */
  readonly codes: FileRange
  readonly scales: FileRange
  readonly zeroPoints: FileRange | null
}

/** ONNX Runtime's kernels ask whether the number of rows divides by 2, 4, 8, 16, 64; whole tiles have up to 128. */
const fewRows = (rows: number): number => (rows <= 192 ? rows : 128 + (rows % 64))

/** The first `part` of `all` rows of a range. */
const firstRows = ({ file, offset, length }: FileRange, part: number, all: number): FileRange => ({
  file,
  offset,
  length: (length / all) * part,
})

/** The kinds of a graph whose links say where the weights lie. */
export const quantizedKinds = (graph: Graph): QuantizedKind[] => {
  const makers = new Map<string, GraphNode>()
  for (const node of graph.nodes) for (const output of node.outputs) makers.set(output, node)
  const externals = new Map(graph.externals.map((external) => [external.value.name, external]))
  /** The tensor of a file that a value is, or is made of. */
  const behind = (
    value: string,
    part: string,
  ): { readonly name: string; readonly range: FileRange; rows: number } | undefined => {
    const external = externals.get(value)
    if (external) {
      const { value: tensor, location: range } = external
      return value.endsWith(part)
        ? { name: value.slice(0, -part.length), range, rows: Number(tensor.shape[0]) }
        : undefined
    }
    for (const input of makers.get(value)?.inputs ?? []) {
      const found = input === '' ? undefined : behind(input, part)
      if (found) return found
    }
    return undefined
  }
  const kinds = new Map<string, QuantizedKind>()
  for (const { op, inputs, attributes } of graph.nodes) {
    if (op !== 'MatMulNBits' && op !== 'GatherBlockQuantized') continue
    const product = op === 'MatMulNBits'
    const codes = behind(inputs[product ? 1 : 0]!, '.codes')
    const scales = behind(inputs[2]!, '.scales')
    const zeros = inputs[3] ? behind(inputs[3], '.zeroPoints') : undefined
    if (!codes || !scales || (inputs[3] && !zeros)) continue
    const { rows: all } = codes
    const blockSize = Number(attributes.block_size)
    const blocks = scales.range.length / 2 / all
    const rows = fewRows(all)
    const kind: QuantizedKind = {
      op,
      name: codes.name,
      rows,
      width: product ? Number(attributes.K) : blocks * blockSize,
      storedBits: ((codes.range.length * 8) / (all * blocks * blockSize)) as 2 | 4 | 8,
      bits: Number(attributes.bits),
      blockSize,
      blocks,
      level: product ? Number(attributes.accuracy_level) : 0,
      bias: product && Boolean(inputs[5]),
      codes: firstRows(codes.range, rows, all),
      scales: firstRows(scales.range, rows, all),
      zeroPoints: zeros ? firstRows(zeros.range, rows, all) : null,
    }
    const { name: _, codes: __, scales: ___, zeroPoints, ...shape } = kind
    const key = JSON.stringify([shape, zeroPoints !== null])
    if (!kinds.has(key)) kinds.set(key, kind)
  }
  return [...kinds.values()]
}

/** `4 bits in blocks of 32 with zero points, 576 inputs`, for messages. */
export const describeKind = ({ op, name, storedBits, blockSize, zeroPoints, width, level }: QuantizedKind): string => {
  const zeros = zeroPoints ? ' with zero points' : ''
  const accuracy = op === 'MatMulNBits' ? `, accuracy level ${level}` : ''
  return `${op} of ${storedBits} bits in blocks of ${blockSize}${zeros}, ${width} columns${accuracy} (${name})`
}
