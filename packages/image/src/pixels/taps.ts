import type { Filter } from './filters.ts'

/** For each output pixel of a row: where its input begins, how many there are, and their weights as integers. */
export interface Taps {
  readonly first: Int32Array
  readonly count: Int32Array
  /** Weights of output pixel `i` begin at `i * stride`; they are scaled by 2^precision. */
  readonly weights: Int32Array
  readonly stride: number
  readonly precision: number
}

/** Half away from zero, as both libraries make integers of weights. */
const rounded = (value: number): number => Math.trunc(value < 0 ? value - 0.5 : value + 0.5)

/**
 * The most bits that keep the largest weight within 16 bits and a sign, which is how PyTorch's kernels for 8-bit images choose; Pillow
 * always takes 22.
 */
function int16Precision(largest: number): number {
  let precision = 0
  while (precision < 22 && Math.trunc(0.5 + largest * 2 ** (precision + 1)) < 2 ** 15) precision++
  return precision
}

/** The bits of fixed-point weights: `wide` is Pillow's, `int16` PyTorch's. */
export type Precision = 'wide' | 'int16'

/**
 * The weights that turn `from` pixels into `to`: the filter, widened when the image shrinks, at the distances from each output pixel's centre
 * (i + 1/2) from / to, normalised to a sum of 1.
 */
export function tapsOf(from: number, to: number, filter: Filter, precise: Precision): Taps {
  const scale = from / to
  const widening = Math.max(scale, 1)
  const reach = filter.reach * widening
  const stride = Math.ceil(reach) * 2 + 1
  const first = new Int32Array(to)
  const count = new Int32Array(to)
  const exact = new Float64Array(to * stride)
  let largest = 0
  for (let index = 0; index < to; index++) {
    const centre = (index + 0.5) * scale
    const low = Math.max(0, Math.trunc(centre - reach + 0.5))
    const high = Math.min(from, Math.trunc(centre + reach + 0.5))
    const taps = Math.min(high - low, stride)
    let sum = 0
    for (let tap = 0; tap < taps; tap++) {
      const weight = filter.weight((tap + low - centre + 0.5) * (1 / widening))
      exact[index * stride + tap] = weight
      sum += weight
    }
    for (let tap = 0; tap < taps && sum !== 0; tap++) {
      const weight = exact[index * stride + tap]! / sum
      exact[index * stride + tap] = weight
      largest = Math.max(largest, weight)
    }
    first[index] = low
    count[index] = taps
  }
  const precision = precise === 'wide' ? 22 : int16Precision(largest)
  const weights = Int32Array.from(exact, (weight) => rounded(weight * 2 ** precision))
  return { first, count, weights, stride, precision }
}
