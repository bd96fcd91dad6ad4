import { AwqError, float16BitsToFloat32, type QuantizedMatrix } from '@awq/tensor'
import { quantizationGrid, ROUNDER } from './grid.ts'
import { type GroupRanges, groupRanges, type NameOption } from './ranges.ts'
import { checkMatrix, checkSpec, effectiveGroupSize, groupsPerRow, type QuantSpec, stepsOf } from './spec.ts'

/**
 * Rounds every weight to the nearest point of its group's grid (round to nearest, RTN):
 * code = clamp(round(w / scale) + zero, 0, 2^bits - 1), half to even, in float32.
 *
 * @param weight float32 [out, in]
 * @param ranges what the codes must cover; by default all weights of a group ({@link groupRanges}). Weights outside
 *   clipped ranges take the nearest end.
 * @throws AwqError NUMERIC for weights that are not finite or too large for float16 scales, INVALID_ARGUMENT for shapes
 *   that do not fit.
 */
export function roundRtn(
  weight: Float32Array,
  shape: readonly [out: number, inputs: number],
  spec: QuantSpec,
  ranges?: GroupRanges,
  options: NameOption = {},
): QuantizedMatrix {
  const name = options.name ?? 'weight'
  checkSpec(spec)
  checkMatrix(weight, shape, name)
  const [out, inputs] = shape
  // Also run when ranges are given: it is what finds weights that are not finite.
  const full = groupRanges(weight, shape, spec, { name })
  if (ranges !== undefined) checkRanges(ranges, shape, spec, name)
  const { scales, zeroPoints } = quantizationGrid(ranges ?? full, spec, { name })
  const groupSize = effectiveGroupSize(spec.groupSize, inputs)
  const steps = stepsOf(spec.bits)
  const middle = 2 ** (spec.bits - 1)
  const codes = new Uint8Array(out * inputs)
  let group = 0
  for (let row = 0; row < out; row++) {
    const end = (row + 1) * inputs
    for (let start = row * inputs; start < end; start += groupSize, group++) {
      const stop = Math.min(start + groupSize, end)
      const scale = float16BitsToFloat32(scales[group] as number)
      const zero = zeroPoints === null ? middle : (zeroPoints[group] as number)
      for (let index = start; index < stop; index++) {
        const code = Math.fround((weight[index] as number) / scale) + ROUNDER - ROUNDER + zero
        codes[index] = code < 0 ? 0 : Math.min(code, steps)
      }
    }
  }
  return { bits: spec.bits, groupSize, shape: [out, inputs], codes, scales, zeroPoints }
}

/**
 * Checks that `ranges` has one entry per group of a matrix.
 * @throws AwqError INVALID_ARGUMENT naming the matrix.
 */
export function checkRanges(
  ranges: GroupRanges,
  shape: readonly [out: number, inputs: number],
  spec: QuantSpec,
  name: string,
): void {
  const expected = shape[0] * groupsPerRow(spec.groupSize, shape[1])
  if (ranges.low.length !== expected || ranges.high.length !== expected) {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `${name} [${shape.join(', ')}] has ${expected} groups, but the ranges have ${ranges.low.length}`,
    )
  }
}
