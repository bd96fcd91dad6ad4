import { transposed } from '@awq/tensor'
import { type QuantizationGrid, scalesToFloat32, zerosToFloat32 } from './grid.ts'
import { groupsPerRow, type QuantSpec } from './spec.ts'

/**
 * Scales and zero points of the rows `start`..`start + rows` as float32 [groups, rows]: the layout in which columns are
 * rounded, one after the other over many rows.
 */
export function gridByGroup(
  grid: QuantizationGrid,
  spec: Pick<QuantSpec, 'bits' | 'groupSize'>,
  inputs: number,
  start: number,
  rows: number,
): { scales: Float32Array; zeros: Float32Array } {
  const groups = groupsPerRow(spec.groupSize, inputs)
  const part = <T extends Uint16Array | Uint8Array>(values: T) =>
    values.subarray(start * groups, (start + rows) * groups) as T
  const scales = scalesToFloat32(part(grid.scales))
  const zeroPoints = grid.zeroPoints === null ? null : part(grid.zeroPoints)
  const zeros = zerosToFloat32(zeroPoints, spec.bits, rows * groups)
  return { scales: transposed(scales, rows, groups), zeros: transposed(zeros, rows, groups) }
}
