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

/** What a position is multiplied by to make the angles of its rotation, and what the rotated vectors are multiplied by. */
export interface RopeFrequencies {
  /** float32 `[width / 2]` */
  readonly frequencies: Float32Array<ArrayBuffer>
  readonly factor: number
}

/**
 * The scaled `theta^(-2i / span)`, float32 as in transformers, so that late positions are equal.
 * @param width elements of a head that are turned
 * @param length tokens of the whole sequence, which decide the frequencies of some scalings
 * @param span what exponents are divided by; default `width`
 */
export const ropeFrequencies = (rope: RopeConfig, width: number, length: number, span = width): RopeFrequencies => {
  const { scale, theta = rope.theta, factor } = frequencyScale(rope, span, length)
  const frequencies = Float32Array.from({ length: width / 2 }, (_, i) =>
    scale(1 / Math.fround(theta ** Math.fround((2 * i) / span)), i),
  )
  return { frequencies, factor }
}

/**
 * `cos[p, i] = a cos(p * f_i)`, `sin[p, i] = a sin(p * f_i)`, with `f_i` and `a` of `ropeFrequencies`.
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
  const { frequencies, factor } = ropeFrequencies(rope, width, length, span)
  // Angles are float32 in transformers; rounding the same way keeps late positions equal.
  for (let p = 0; p < positions; p++)
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(p * frequencies[i]!)
      cos[p * half + i] = Math.cos(angle) * factor
      sin[p * half + i] = Math.sin(angle) * factor
    }
  return { positions, cos, sin }
}
