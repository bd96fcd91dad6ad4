/**
 * Quantization methods as lists of passes.
 * @module
 */
import { AwqError } from '@awq/tensor'
import type { Pass } from './block-state.ts'
import { clipPass } from './clip-pass.ts'
import { type GptqPassOptions, gptqPass, rtnPass } from './round-pass.ts'
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

/** Round to nearest: no calibration. */
export const rtn = (): Method => ({ name: 'rtn', passes: [rtnPass()], statistics: false, propagate: 'float' })

/** AWQ (arXiv 2306.00978): scale search, clip search, round to nearest. */
export const awq = (): Method => ({
  name: 'awq',
  passes: [scalePass(), clipPass(), rtnPass()],
  statistics: true,
  propagate: 'float',
})

/** GPTQ (arXiv 2210.17323): each block is calibrated on the outputs of the quantized blocks before it. */
export const gptq = (options: GptqPassOptions = {}): Method => ({
  name: 'gptq',
  passes: [gptqPass(options)],
  statistics: true,
  propagate: 'quantized',
})

/** AWQ's scales and clips with GPTQ's rounding on the same Gram matrices. */
export const awqGptq = (options: GptqPassOptions = {}): Method => ({
  name: 'awq-gptq',
  passes: [scalePass(), clipPass(), gptqPass(options)],
  statistics: true,
  propagate: 'float',
})

/** The methods that have a name on the command line. */
export const methods: Readonly<Record<string, () => Method>> = { awq, rtn, gptq, 'awq-gptq': awqGptq }

/**
 * A method by name, or the method itself.
 * @throws AwqError `INVALID_ARGUMENT` for an unknown name
 */
export const resolveMethod = (method: string | Method): Method => {
  if (typeof method !== 'string') return method
  if (Object.hasOwn(methods, method)) return methods[method]!()
  throw new AwqError(
    'INVALID_ARGUMENT',
    `unknown method "${method}"; known: ${Object.keys(methods).join(', ')}. A method of your own is a list of passes`,
  )
}
