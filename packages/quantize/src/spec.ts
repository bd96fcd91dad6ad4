import { AwqError } from '@awq/tensor'

/** How the weights of one matrix become integers. */
export interface QuantSpec {
  /** Bits of a code. 3 bits give 8 levels; the store keeps them in 4 bits, which is what ONNX Runtime can read. */
  readonly bits: 2 | 3 | 4 | 8
  /** Inputs (columns) that share a scale: a power of two from 16 to 256, or -1 for one group per output row. */
  readonly groupSize: number
  /**
   * `false`: codes 0..2^bits-1 with a zero point per group and a range that always includes zero.
   * `true`: the zero point is 2^(bits-1) everywhere and scale = 2·max|w| / (2^bits-1), which is max|w|/7.5 at 4 bits:
   * the rule of compressed-tensors (others use max/7, or a signed max/-8).
   */
  readonly symmetric: boolean
}

/** The smallest positive float16, 2^-24: the scale of a group whose exact scale would round to zero. */
export const SMALLEST_SCALE = 2 ** -24

/** The largest code of `bits` bits, 2^bits - 1: how many steps a range is divided into. */
export const stepsOf = (bits: number): number => 2 ** bits - 1

/**
 * The group size that a row of `width` inputs really has: `width` for -1, else the spec's own (which may exceed the
 * width; the only group is then shorter).
 */
export const effectiveGroupSize = (groupSize: number, width: number): number => (groupSize === -1 ? width : groupSize)

/** How many groups a row of `width` inputs has: ceil(width / groupSize), 1 per channel. */
export const groupsPerRow = (groupSize: number, width: number): number =>
  Math.ceil(width / effectiveGroupSize(groupSize, width))

/** Whether a group size is one that the store's layout has: 16 to 256 by powers of two, or -1 (per channel). */
export const isGroupSize = (size: number): boolean => [-1, 16, 32, 64, 128, 256].includes(size)

/**
 * Checks a spec and returns it.
 * @throws AwqError INVALID_ARGUMENT when bits, group size or symmetric is none that this library can store.
 */
export function checkSpec(spec: QuantSpec): QuantSpec {
  if (![2, 3, 4, 8].includes(spec.bits)) {
    throw new AwqError('INVALID_ARGUMENT', `bits must be 2, 3, 4 or 8, not ${spec.bits}`)
  }
  if (!isGroupSize(spec.groupSize)) {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `the group size must be 16, 32, 64, 128 or 256, or -1 for one group per output channel, not ${spec.groupSize}`,
    )
  }
  if (typeof spec.symmetric !== 'boolean') {
    throw new AwqError('INVALID_ARGUMENT', `symmetric must be true or false, not ${String(spec.symmetric)}`)
  }
  return spec
}

/**
 * Checks that `weight` has the elements of `shape` [out, in].
 * @throws AwqError INVALID_ARGUMENT naming the matrix, its shape and its length.
 */
export function checkMatrix(weight: Float32Array, shape: readonly [out: number, inputs: number], name: string): void {
  const [out, inputs] = shape
  if (!Number.isSafeInteger(out) || !Number.isSafeInteger(inputs) || out < 1 || inputs < 1) {
    throw new AwqError('INVALID_ARGUMENT', `${name}: a matrix needs two positive dimensions, not [${shape.join(', ')}]`)
  }
  if (weight.length !== out * inputs) {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `${name}: ${weight.length} values do not fill the shape [${out}, ${inputs}] (${out * inputs} values)`,
    )
  }
}
