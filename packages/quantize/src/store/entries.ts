import { layoutOf } from '@awq/onnx'
import type { DType } from '@awq/tensor'
import type { QuantSpec } from '../spec.ts'

/** A tensor that a store will hold. */
export interface StoreEntry {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  /**
   * Entries with the same key lie next to each other in one file, in the order they are given: the codes of q, k and v,
   * for instance, are then the codes of one matrix with all their rows.
   */
  readonly fuse?: string
}

/**
 * The parts of a quantized matrix: the store keeps `PARAMETER.codes`, `.scales`, if asymmetric `.zeroPoints`, and for
 * columns that stay float `.denseIndices` and `.denseValues`, for columns in an order of their own `.inputOrder`.
 */
export type MatrixPart = 'codes' | 'scales' | 'zeroPoints' | 'denseIndices' | 'denseValues' | 'inputOrder'

/** The name of a part of a quantized matrix in the store. */
export const partName = (parameter: string, part: MatrixPart): string => `${parameter}.${part}`

/**
 * The entries of a quantized matrix [out, in] in MatMulNBits' layout: codes uint8 [out, blocks, bytes], scales float16
 * [out, blocks], zero points uint8 [out, bytes] unless symmetric; with `denseColumns` columns that stay float, their
 * indices int32 [denseColumns] and values float16 [out, denseColumns]; with `inputOrder` int32 [in].
 * @param fuse matrices with the same key get their codes, their scales, their zero points and their dense values adjacent.
 * @throws AwqError INVALID_ARGUMENT for bits, groups or shapes the layout does not have
 */
export function matrixEntries(
  parameter: string,
  shape: readonly [out: number, inputs: number],
  spec: QuantSpec,
  fuse?: string,
  denseColumns = 0,
  inputOrder = false,
): StoreEntry[] {
  const { codesShape, scalesShape, zeroPointsShape } = layoutOf({ ...spec, shape })
  const entry = (part: MatrixPart, dtype: DType, dimensions: readonly number[]): StoreEntry => ({
    name: partName(parameter, part),
    dtype,
    shape: dimensions,
    ...(fuse === undefined ? {} : { fuse: partName(fuse, part) }),
  })
  return [
    entry('codes', 'U8', codesShape),
    entry('scales', 'F16', scalesShape),
    ...(zeroPointsShape === null ? [] : [entry('zeroPoints', 'U8', zeroPointsShape)]),
    ...(denseColumns === 0
      ? []
      : [entry('denseIndices', 'I32', [denseColumns]), entry('denseValues', 'F16', [shape[0], denseColumns])]),
    ...(inputOrder ? [entry('inputOrder', 'I32', [shape[1]])] : []),
  ]
}
