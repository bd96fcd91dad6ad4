/**
 * Rotary position embedding (arXiv 2104.09864): the tables of cosines and sines that the graphs read.
 * @module
 */
import type { ConfigReader } from './config-reader.ts'

/** How the rotation frequencies are stretched for contexts longer than the first training's. */
export type RopeScaling =
  | { readonly type: 'default' }
  /** Every position is divided by `factor`. */
  | { readonly type: 'linear'; readonly factor: number }
  /** Llama 3.1: long wavelengths are divided by `factor`, short ones kept, those between blended. */
  | {
      readonly type: 'llama3'
      readonly factor: number
      readonly lowFrequencyFactor: number
      readonly highFrequencyFactor: number
      readonly originalContextLength: number
    }

/** Base and scaling of the rotation frequencies. */
export interface RopeConfig {
  /** The base: frequency i of a head of width d is `theta^(-2i/d)`. */
  readonly theta: number
  readonly scaling: RopeScaling
}

/**
 * Reads rope settings in both spellings: `rope_theta` + `rope_scaling` (transformers 4) and `rope_parameters` (5).
 * @throws AwqError `UNSUPPORTED` for a scaling that is not implemented, naming it
 */
export const readRope = (config: ConfigReader): RopeConfig => {
  const parameters = config.object('rope_parameters') ?? config.object('rope_scaling')
  const theta = parameters?.has('rope_theta')
    ? parameters.positive('rope_theta', 10000)
    : config.positive('rope_theta', 10000)
  const partial = [parameters, config].find((reader) => reader && reader.positive('partial_rotary_factor', 1) !== 1)
  if (partial) return partial.unsupported('partial_rotary_factor', '1')
  if (!parameters) return { theta, scaling: { type: 'default' } }
  const field = parameters.has('rope_type') ? 'rope_type' : 'type'
  switch (parameters.text(field, 'default')) {
    case 'default':
      return { theta, scaling: { type: 'default' } }
    case 'linear':
      return { theta, scaling: { type: 'linear', factor: parameters.positive('factor', 1) } }
    case 'llama3': {
      const lowFrequencyFactor = parameters.positive('low_freq_factor', 1)
      const highFrequencyFactor = parameters.positive('high_freq_factor', 4)
      if (highFrequencyFactor <= lowFrequencyFactor)
        return parameters.reject('high_freq_factor', `above low_freq_factor ${lowFrequencyFactor}`)
      return {
        theta,
        scaling: {
          type: 'llama3',
          factor: parameters.positive('factor', 8),
          lowFrequencyFactor,
          highFrequencyFactor,
          originalContextLength: parameters.size('original_max_position_embeddings', 8192),
        },
      }
    }
    default:
      return parameters.unsupported(field, 'default, linear, llama3')
  }
}

const scaleFrequency = (frequency: number, scaling: RopeScaling): number => {
  switch (scaling.type) {
    case 'default':
      return frequency
    case 'linear':
      return frequency / scaling.factor
    case 'llama3': {
      const wavelengths = (scaling.originalContextLength * frequency) / (2 * Math.PI)
      if (wavelengths < scaling.lowFrequencyFactor) return frequency / scaling.factor
      if (wavelengths > scaling.highFrequencyFactor) return frequency
      const smooth =
        (wavelengths - scaling.lowFrequencyFactor) / (scaling.highFrequencyFactor - scaling.lowFrequencyFactor)
      return ((1 - smooth) * frequency) / scaling.factor + smooth * frequency
    }
  }
}

/** Cosines and sines, each `[positions, headDim / 2]`, row-major. */
export interface RopeTables {
  readonly positions: number
  readonly cos: Float32Array
  readonly sin: Float32Array
}

/**
 * `cos[p, i] = cos(p * f_i)`, `sin[p, i] = sin(p * f_i)`, `f_i = scale(theta^(-2i / headDim))`, for the half-split
 * rotation of Hugging Face (element i turns with element `i + headDim / 2`).
 * @param positions number of rows, positions 0 to `positions - 1`
 */
export const ropeTables = (rope: RopeConfig, headDim: number, positions: number): RopeTables => {
  const half = headDim / 2
  const cos = new Float32Array(positions * half)
  const sin = new Float32Array(positions * half)
  // Frequencies and angles are float32 in transformers; rounding the same way keeps late positions equal.
  const frequencies = Float32Array.from({ length: half }, (_, i) =>
    scaleFrequency(1 / Math.fround(rope.theta ** Math.fround((2 * i) / headDim)), rope.scaling),
  )
  for (let p = 0; p < positions; p++)
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(p * frequencies[i]!)
      cos[p * half + i] = Math.cos(angle)
      sin[p * half + i] = Math.sin(angle)
    }
  return { positions, cos, sin }
}
