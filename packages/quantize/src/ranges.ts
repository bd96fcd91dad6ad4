import { AwqError } from '@awq/tensor'
import { checkMatrix, checkSpec, effectiveGroupSize, groupsPerRow, type QuantSpec } from './spec.ts'

/**
 * The interval of weights that each group's codes must cover, [out * groups] in row order, with low <= 0 <= high.
 * A clip search narrows it; symmetric grids use max(-low, high).
 */
export interface GroupRanges {
  readonly low: Float32Array
  readonly high: Float32Array
}

/** Options of everything that names a tensor in its errors. */
export interface NameOption {
  /** The tensor's name for error messages. */
  readonly name?: string | undefined
}

/**
 * low = min(0, min w) and high = max(0, max w) of every group.
 *
 * Zero is always inside the range, so a weight of zero stays zero and a group of one sign does not collapse.
 *
 * @param weight float32 [out, in]
 * @throws AwqError NUMERIC naming the tensor, row and column of a weight that is NaN or infinite; INVALID_ARGUMENT for
 *   a shape that does not fit.
 */
export function groupRanges(
  weight: Float32Array,
  shape: readonly [out: number, inputs: number],
  spec: Pick<QuantSpec, 'bits' | 'groupSize' | 'symmetric'>,
  options: NameOption = {},
): GroupRanges {
  const name = options.name ?? 'weight'
  checkSpec(spec)
  checkMatrix(weight, shape, name)
  const [out, inputs] = shape
  const groupSize = effectiveGroupSize(spec.groupSize, inputs)
  const groups = groupsPerRow(spec.groupSize, inputs)
  const low = new Float32Array(out * groups)
  const high = new Float32Array(out * groups)
  let group = 0
  for (let row = 0; row < out; row++) {
    const end = (row + 1) * inputs
    for (let start = row * inputs; start < end; start += groupSize, group++) {
      const stop = Math.min(start + groupSize, end)
      let least = 0
      let most = 0
      // w - w is 0 for every finite w and NaN for NaN and both infinities: one sum finds them all without a branch.
      let notFinite = 0
      for (let index = start; index < stop; index++) {
        const value = weight[index] as number
        notFinite += value - value
        if (value < least) least = value
        if (value > most) most = value
      }
      if (notFinite !== 0) refuseNotFinite(weight, inputs, start, name)
      low[group] = least
      high[group] = most
    }
  }
  return { low, high }
}

function refuseNotFinite(weight: Float32Array, inputs: number, from: number, name: string): never {
  let index = from
  while (Number.isFinite(weight[index])) index++
  throw new AwqError(
    'NUMERIC',
    `${name}: the weight at row ${Math.floor(index / inputs)}, column ${index % inputs} is ${weight[index]}; ` +
      'a matrix with NaN or infinite weights cannot be quantized',
  )
}
