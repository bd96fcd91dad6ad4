/**
 * Quantization methods as lists of passes.
 * @module
 */
import type { ScaleStrategy } from '@awq/search'
import type { Pass } from './block-state.ts'
import { clipPass } from './clip-pass.ts'
import { named } from './named.ts'
import { type GptqPassOptions, gptqPass, rtnPass } from './round-pass.ts'
import type { ScaleObjective } from './scale-objective.ts'
import { scalePass } from './scale-pass.ts'

/** A method: what is done to every block, and on which activations. */
export interface Method {
  readonly name: string
  readonly passes: readonly Pass[]
  /** True when a pass reads activation statistics, so that calibration text is needed. */
  readonly statistics: boolean
  /** What the next block is calibrated on: the outputs of the float blocks before it, or of the quantized ones. */
  readonly propagate: 'float' | 'quantized'
}

/** Options of the methods that have a name; a method without the step in question ignores them. */
export interface MethodOptions extends GptqPassOptions {
  /** How scales are found: `alpha` or a strategy of your own; default `alpha`. */
  readonly scaleStrategy?: string | ScaleStrategy | undefined
  /** What scales are judged by: `linear` or an objective of your own; default `linear`. */
  readonly objective?: string | ScaleObjective | undefined
  /** What each block is calibrated on: the outputs of the float blocks before it, or of the quantized ones. */
  readonly propagate?: 'float' | 'quantized' | undefined
}

const scale = ({ scaleStrategy, objective }: MethodOptions): Pass => scalePass({ strategy: scaleStrategy, objective })

/** Only what GPTQ has an option for: the options of a pass are part of what a resumed run must repeat. */
const round = ({ damping, order }: MethodOptions): Pass =>
  gptqPass({ ...(damping === undefined ? {} : { damping }), ...(order === undefined ? {} : { order }) })

/** Round to nearest: no calibration. */
export const rtn = (): Method => ({ name: 'rtn', passes: [rtnPass()], statistics: false, propagate: 'float' })

/** AWQ (arXiv 2306.00978): scale search, clip search, round to nearest. */
export const awq = (options: MethodOptions = {}): Method => ({
  name: 'awq',
  passes: [scale(options), clipPass(), rtnPass()],
  statistics: true,
  propagate: options.propagate ?? 'float',
})

/** GPTQ (arXiv 2210.17323): each block is calibrated on the outputs of the quantized blocks before it. */
export const gptq = (options: MethodOptions = {}): Method => ({
  name: 'gptq',
  passes: [round(options)],
  statistics: true,
  propagate: options.propagate ?? 'quantized',
})

/** AWQ's scales and clips with GPTQ's rounding on the same Gram matrices. */
export const awqGptq = (options: MethodOptions = {}): Method => ({
  name: 'awq-gptq',
  passes: [scale(options), clipPass(), round(options)],
  statistics: true,
  propagate: options.propagate ?? 'float',
})

/** The methods that have a name on the command line. */
export const methods: Readonly<Record<string, (options?: MethodOptions) => Method>> = {
  awq,
  rtn,
  gptq,
  'awq-gptq': awqGptq,
}

/**
 * A method by name with its options, or the method itself, whose own options stand.
 * @throws AwqError `INVALID_ARGUMENT` for an unknown name
 */
export const resolveMethod = (method: string | Method, options: MethodOptions = {}): Method => {
  if (typeof method !== 'string') return method
  const makers = Object.entries(methods).map(([name, make]) => [name, () => make(options)] as const)
  return named('method', method, Object.fromEntries(makers))
}
