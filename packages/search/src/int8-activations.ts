/**
 * The rounding of activations that MatMulNBits does at accuracy level 4, as ONNX nodes: int8, symmetric, with a scale for
 * every row and block of the input.
 * @module
 */
import { type Graph, layoutOf, reshape, scalar, slice, type Value } from '@awq/onnx'
import { checkSpec, type QuantSpec } from '@awq/quantize'
import { ROUNDER } from './fake-quantize.ts'

/** The largest int8 that activations are rounded to; -128 is not used. */
const LARGEST = 127

/** Below this largest magnitude 127 / magnitude would leave float32; such a block counts as zero. */
const SMALLEST = 2 ** -100

/**
 * Inputs that share one int8 scale, per row of activations, when `spec` weights of `width` inputs run at accuracy level
 * 4 on the CPU: MatMulNBits' own block size, 16 to 256. Null where ONNX Runtime (1.30, x64) has no such kernel and keeps
 * the activations in float32: 2 bits with blocks of 16 or 256.
 */
export function activationBlock(spec: QuantSpec, width: number): number | null {
  const { bits, groupSize, symmetric } = checkSpec(spec)
  const { storedBits, blockSize } = layoutOf({ bits, groupSize, symmetric, shape: [1, width] })
  return storedBits === 2 && (blockSize === 16 || blockSize === 256) ? null : blockSize
}

/**
 * Rounds activations [rows, width] within each block of `blockSize` columns (the last one may be shorter): with m the
 * largest |x| of the block, round(x * (127 / m)) * (m / 127), half to even, in float32; a block of zeros stays zero.
 * The rule of ONNX Runtime's x64 kernels (core/mlas, `QuantizeARow_CompInt8` of AVX2 and AVX-512).
 */
export function emitRoundedActivations(graph: Graph, x: Value, width: number, blockSize: number): Value {
  const short = width % blockSize
  const columns = width - short
  const parts = [
    ...(columns > 0
      ? [roundBlocks(graph, short ? slice(graph, x, { axis: 1, start: 0, end: columns }) : x, columns, blockSize)]
      : []),
    ...(short > 0
      ? [roundBlocks(graph, columns ? slice(graph, x, { axis: 1, start: columns, end: width }) : x, short, short)]
      : []),
  ]
  return parts.length === 1 ? parts[0]! : graph.add('Concat', parts, { axis: 1 })
}

function roundBlocks(graph: Graph, x: Value, width: number, blockSize: number): Value {
  const number = (value: number) => scalar(graph, 'float32', value)
  const blocks = reshape(graph, x, [-1, width / blockSize, blockSize])
  const largest = graph.add('ReduceMax', [graph.add('Abs', [blocks]), graph.constant('int64', [1], [2])], {
    keepdims: 1,
  })
  const inverse = graph.add('Div', [number(LARGEST), graph.add('Max', [largest, number(SMALLEST)])])
  const shifted = graph.add('Add', [graph.add('Mul', [blocks, inverse]), number(ROUNDER)])
  const codes = graph.add('Sub', [shifted, number(ROUNDER)])
  const rounded = graph.add('Mul', [codes, graph.add('Div', [largest, number(LARGEST)])])
  return reshape(graph, rounded, [-1, width])
}
