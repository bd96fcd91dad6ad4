import { type DenseColumns, denseColumnsProblem, setDenseColumns } from './dense-columns.ts'
import { AwqError } from './error.ts'
import { inputOrderProblem } from './input-order.ts'
import { float16BitsToFloat32 } from './minifloat.ts'

/**
 * A matrix in groups of `groupSize` along its inputs: w[o, i] = (code[o, i] - zero[o, g]) * scale[o, g],
 * g = floor(i / groupSize). The last group of a row may be shorter.
 */
export interface QuantizedMatrix {
  readonly bits: 2 | 3 | 4 | 8
  /** Inputs per group; equal to `in` when there is one group per row. */
  readonly groupSize: number
  readonly shape: readonly [out: number, width: number]
  /** [out, in], one code per byte, 0 .. 2^bits - 1. */
  readonly codes: Uint8Array
  /** [out, groups], float16 bits. */
  readonly scales: Uint16Array
  /** [out, groups]; null when symmetric, where every zero is 2^(bits - 1). */
  readonly zeroPoints: Uint8Array | null
  /** Columns that stay float; their codes are the zero points. Absent where every column has codes. */
  readonly denseColumns?: DenseColumns | undefined
  /**
   * [in]: column i of the codes belongs to input `inputOrder[i]`, so that w[o, inputOrder[i]] = (code[o, i] - zero[o, g]) *
   * scale[o, g] and y = codes x[inputOrder]. GPTQ's activation order, with columns moved so that groups are contiguous.
   * Absent where column i is of input i; not together with dense columns.
   */
  readonly inputOrder?: Int32Array | undefined
}

/** Groups per row: ceil(in / groupSize). */
export function groupCount(matrix: Pick<QuantizedMatrix, 'shape' | 'groupSize'>): number {
  return Math.ceil(matrix.shape[1] / matrix.groupSize)
}

/**
 * Throws INVALID_ARGUMENT unless the bits, group size, shape and lengths agree, every code and zero point fits the bits,
 * every scale is finite, dense columns ascend, are finite and have zero points for codes, and an order names every input
 * once. `name` is what the message calls the matrix.
 */
export function checkQuantizedMatrix(matrix: QuantizedMatrix, name = 'matrix'): void {
  const { bits, groupSize, shape, codes, scales, zeroPoints } = matrix
  const fail = (problem: string): never => {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `${name} [${shape.join(', ')}], ${bits} bits, group ${groupSize}: ${problem}`,
    )
  }
  if (![2, 3, 4, 8].includes(bits)) fail('bits must be 2, 3, 4 or 8')
  if (shape.length !== 2 || !shape.every((size) => Number.isSafeInteger(size) && size > 0)) {
    fail('the shape must be two positive integers')
  }
  if (!Number.isSafeInteger(groupSize) || groupSize < 1) fail('the group size must be a positive integer')
  const [out, width] = shape
  const groups = out * groupCount(matrix)
  if (codes.length !== out * width) fail(`${out * width} codes expected, ${codes.length} given`)
  if (scales.length !== groups) fail(`${groups} scales expected, ${scales.length} given`)
  if (zeroPoints !== null && zeroPoints.length !== groups) {
    fail(`${groups} zero points expected, ${zeroPoints.length} given`)
  }
  const top = 2 ** bits - 1
  const wrongCode = bits === 8 ? -1 : codes.findIndex((code) => code > top)
  if (wrongCode >= 0) fail(`code ${codes[wrongCode]} at index ${wrongCode} is above ${top}`)
  const wrongZero = zeroPoints?.findIndex((zero) => zero > top) ?? -1
  if (wrongZero >= 0) fail(`zero point ${zeroPoints?.[wrongZero]} at index ${wrongZero} is above ${top}`)
  const wrongScale = scales.findIndex((scale) => (scale & 0x7c00) === 0x7c00)
  if (wrongScale >= 0) fail(`scale at index ${wrongScale} is not finite`)
  const wrongDense = denseColumnsProblem(matrix)
  if (wrongDense !== null) fail(wrongDense)
  const { inputOrder, denseColumns } = matrix
  if (inputOrder === undefined) return
  if (denseColumns !== undefined) fail('an order of inputs and dense columns do not go together')
  const wrongOrder = inputOrderProblem(inputOrder, width)
  if (wrongOrder !== null) fail(wrongOrder)
}

/**
 * The float32 matrix [out, in] of a quantized one, dense columns included and columns in the order of the inputs; exact,
 * because a code times a float16 scale fits float32.
 */
export function dequantize(matrix: QuantizedMatrix): Float32Array {
  checkQuantizedMatrix(matrix)
  const { bits, groupSize, codes, scales, zeroPoints, inputOrder } = matrix
  const [out, width] = matrix.shape
  const groups = groupCount(matrix)
  const result = new Float32Array(out * width)
  for (let row = 0; row < out; row++) {
    for (let group = 0; group < groups; group++) {
      const scale = float16BitsToFloat32(scales[row * groups + group]!)
      const zero = zeroPoints === null ? 2 ** (bits - 1) : zeroPoints[row * groups + group]!
      const start = row * width
      const end = Math.min(width, (group + 1) * groupSize)
      for (let i = group * groupSize; i < end; i++) {
        result[start + (inputOrder?.[i] ?? i)] = (codes[start + i]! - zero) * scale
      }
    }
  }
  if (matrix.denseColumns !== undefined) setDenseColumns(result, width, matrix.denseColumns)
  return result
}
