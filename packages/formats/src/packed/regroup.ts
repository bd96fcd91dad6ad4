/**
 * Groups of sizes that our layout does not have, as smaller ones that repeat a scale.
 * @module
 */
import type { QuantizedMatrix } from '@awq/tensor'

const sizes = [256, 128, 64, 32, 16]

/**
 * The group size by which groups of `groupSize` in rows of `width` can be held: -1 for whole rows, itself where it is one of
 * ours, else the largest of ours that divides it; null when none does.
 */
export const heldGroupSize = (groupSize: number, width: number): number | null => {
  if (groupSize === -1 || groupSize >= width) return -1
  return sizes.find((size) => groupSize % size === 0) ?? null
}

/** The matrix with groups of `size`, which divides its own or is -1 for whole rows: every group's scale and zero point, repeated. */
export const regroup = (matrix: QuantizedMatrix, size: number): QuantizedMatrix => {
  const { groupSize, shape, scales, zeroPoints } = matrix
  const [out, width] = shape
  const wanted = size === -1 ? width : size
  if (wanted === groupSize) return matrix
  const [from, to] = [Math.ceil(width / groupSize), Math.ceil(width / wanted)]
  const repeated = <T extends Uint8Array | Uint16Array>(values: T, into: T): T => {
    for (let row = 0; row < out; row++)
      for (let group = 0; group < to; group++)
        into[row * to + group] = values[row * from + Math.floor((group * wanted) / groupSize)]!
    return into
  }
  return {
    ...matrix,
    groupSize: wanted,
    scales: repeated(scales, new Uint16Array(out * to)),
    zeroPoints: zeroPoints && repeated(zeroPoints, new Uint8Array(out * to)),
  }
}
