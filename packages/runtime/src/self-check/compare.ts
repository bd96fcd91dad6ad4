import type { ActivationType } from '@awq/models'
import { type Tensor, tensor } from '@awq/ort'
import { float32ToFloat16Bits } from '@awq/tensor'

/** Numbers within one that follow no pattern the kernels could hide behind; exact in float16. */
export const madeUp = (length: number, seed: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => (((i * 7919 + seed * 131 + (i % 37) * (i % 41)) % 257) - 128) / 128)

/** Numbers as a tensor of a type. */
export const valuesOf = (numbers: Float32Array, dtype: ActivationType, shape: readonly number[]): Tensor =>
  tensor(dtype, shape, dtype === 'float32' ? numbers : Uint16Array.from(numbers, float32ToFloat16Bits))

/**
 * The largest difference, in units of the expected values' root mean square; NaN when something made is not a number, or
 * there are more or fewer of them.
 */
export const deviation = (made: ArrayLike<number>, expected: Float64Array): number => {
  if (made.length !== expected.length) return Number.NaN
  let squares = 0
  let largest = 0
  for (const [i, value] of expected.entries()) {
    squares += value * value
    const difference = Math.abs(made[i]! - value)
    // Not Math.max alone: what is not a number must stay.
    if (!(difference <= largest)) largest = difference
    if (Number.isNaN(difference)) return Number.NaN
  }
  const size = Math.sqrt(squares / expected.length)
  return largest === 0 ? 0 : largest / Math.max(size, 1e-20)
}

/**
 * How far a right result may be off: sums of float32 by their rounding, products of activations that are rounded to 8 bits by
 * half a percent on average, sums in float16 by a percent or so. A wrong kernel is off by about one.
 */
export const tolerance = (dtype: ActivationType, rounds: boolean): number =>
  dtype === 'float16' || rounds ? 0.1 : 1e-3
