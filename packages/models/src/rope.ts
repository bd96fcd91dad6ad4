/**
 * Rotary position embedding (arXiv 2104.09864): the tables of cosines and sines that the graphs read.
 * @module
 */
import { frequencyScale, type RopeScaling } from './rope-scaling.ts'

/** Base and scaling of the rotation frequencies. */
export interface RopeConfig {
  /** The base: frequency i of a rotation of width d is `theta^(-2i/d)`. */
  readonly theta: number
  readonly scaling: RopeScaling
}

/** Cosines and sines, each `[positions, width / 2]`, row-major. */
export interface RopeTables {
  readonly positions: number
  readonly cos: Float32Array
  readonly sin: Float32Array
}

/**
 * `cos[p, i] = a cos(p * f_i)`, `sin[p, i] = a sin(p * f_i)`, with `f_i` the scaled `theta^(-2i / span)` and `a` the factor
 * that some scalings put on the rotated vectors.
 * @param width elements of a head that are turned
 * @param positions number of rows, positions 0 to `positions - 1`
 * @param span what exponents are divided by; default `width`
 * @param length tokens of the whole sequence, which decide the frequencies of some scalings; default `positions`
 */
export const ropeTables = (
  rope: RopeConfig,
  width: number,
  positions: number,
  length = positions,
  span = width,
): RopeTables => {
  const half = width / 2
  const cos = new Float32Array(positions * half)
  const sin = new Float32Array(positions * half)
  const { scale, theta = rope.theta, factor } = frequencyScale(rope, span, length)
  // Frequencies and angles are float32 in transformers; rounding the same way keeps late positions equal.
  const frequencies = Float32Array.from({ length: half }, (_, i) =>
    scale(1 / Math.fround(theta ** Math.fround((2 * i) / span)), i),
  )
  for (let p = 0; p < positions; p++)
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(p * frequencies[i]!)
      cos[p * half + i] = Math.cos(angle) * factor
      sin[p * half + i] = Math.sin(angle) * factor
    }
  return { positions, cos, sin }
}
