import { AwqError } from './error.ts'
import { float16BitsToFloat32, float32ToFloat16Bits } from './minifloat.ts'
import type { QuantizedMatrix } from './quantized-matrix.ts'

/**
 * Columns of a quantized matrix that stay float: w[o, indices[j]] = values[o, j]. The paper keeps the columns of the
 * largest activations so (arXiv 2306.00978, section 3.1).
 */
export interface DenseColumns {
  /** [count], ascending, each column once. */
  readonly indices: Int32Array
  /** [out, count], float16 bits. */
  readonly values: Uint16Array
}

const INFINITY_BITS = 0x7c00

/** What is wrong with column indices for a matrix of `width` inputs, else null. */
export function indicesProblem(indices: Int32Array, width: number): string | null {
  if (indices.length === 0) return 'dense columns without a column'
  for (let at = 0; at < indices.length; at++) {
    const index = indices[at]!
    if (index < 0 || index >= width) return `dense column ${index} is outside the ${width} columns`
    if (at > 0 && index <= indices[at - 1]!) {
      return `dense column ${index} follows ${indices[at - 1]}: they must ascend`
    }
  }
  return null
}

/** What is wrong with a matrix's dense columns, else null. Their codes must be the zero points: they add nothing. */
export function denseColumnsProblem(matrix: QuantizedMatrix): string | null {
  const { denseColumns, shape, bits, groupSize, codes, zeroPoints } = matrix
  if (denseColumns === undefined) return null
  const { indices, values } = denseColumns
  const [out, width] = shape
  const problem = indicesProblem(indices, width)
  if (problem !== null) return problem
  if (values.length !== out * indices.length) {
    return `${out * indices.length} dense values expected, ${values.length} given`
  }
  const wrong = values.findIndex((value) => (value & INFINITY_BITS) === INFINITY_BITS)
  if (wrong >= 0) return `the dense value at index ${wrong} is not finite`
  const groups = Math.ceil(width / groupSize)
  for (let row = 0; row < out; row++) {
    for (const column of indices) {
      const zero = zeroPoints === null ? 2 ** (bits - 1) : zeroPoints[row * groups + Math.floor(column / groupSize)]!
      if (codes[row * width + column] !== zero) {
        return `row ${row} has a code other than the zero point in dense column ${column}`
      }
    }
  }
  return null
}

/**
 * Some columns of a float matrix, rounded to float16.
 * @param weight float32 [out, in]
 * @param indices ascending
 * @throws AwqError INVALID_ARGUMENT for columns that the matrix does not have or that do not ascend; NUMERIC, naming
 *   the matrix, for a weight that float16 does not hold
 */
export function takeDenseColumns(
  weight: Float32Array,
  shape: readonly [out: number, width: number],
  indices: Int32Array,
  name = 'matrix',
): DenseColumns {
  const [out, width] = shape
  const problem = indicesProblem(indices, width)
  if (problem !== null) throw new AwqError('INVALID_ARGUMENT', `${name} [${shape.join(', ')}]: ${problem}`)
  if (weight.length !== out * width) {
    throw new AwqError('INVALID_ARGUMENT', `${name} [${shape.join(', ')}] has ${weight.length} weights`)
  }
  const values = new Uint16Array(out * indices.length)
  for (let row = 0; row < out; row++) {
    for (let at = 0; at < indices.length; at++) {
      const value = weight[row * width + indices[at]!]!
      const bits = float32ToFloat16Bits(value)
      if ((bits & INFINITY_BITS) === INFINITY_BITS) {
        throw new AwqError(
          'NUMERIC',
          `${name}: the weight at row ${row}, column ${indices[at]} is ${value}, which does not fit float16`,
        )
      }
      values[row * indices.length + at] = bits
    }
  }
  return { indices, values }
}

/** The matrix with these columns dense: their codes become the zero points. */
export function withDenseColumns(matrix: QuantizedMatrix, denseColumns: DenseColumns): QuantizedMatrix {
  const { shape, bits, groupSize, zeroPoints } = matrix
  const [out, width] = shape
  const groups = Math.ceil(width / groupSize)
  const codes = matrix.codes.slice()
  for (let row = 0; row < out; row++) {
    for (const column of denseColumns.indices) {
      const group = row * groups + Math.floor(column / groupSize)
      codes[row * width + column] = zeroPoints === null ? 2 ** (bits - 1) : zeroPoints[group]!
    }
  }
  return { ...matrix, codes, denseColumns }
}

/** Puts dense columns in their places in a float32 matrix [out, width]. */
export function setDenseColumns(target: Float32Array, width: number, { indices, values }: DenseColumns): void {
  const count = indices.length
  for (let at = 0; at < values.length; at++) {
    target[Math.floor(at / count) * width + indices[at % count]!] = float16BitsToFloat32(values[at]!)
  }
}
