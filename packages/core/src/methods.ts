/**
 * Quantization methods as lists of passes.
 * @module
 */
import type { ScaleStrategy } from '@awq/search'
import { AwqError } from '@awq/tensor'
import type { Pass } from './block-state.ts'
import { clipPass } from './clip-pass.ts'
import { compensatePass } from './compensate-pass.ts'
import { descendPass } from './descend-pass.ts'
import { named } from './named.ts'
import { type GptqPassOptions, gptqPass, rtnPass } from './round-pass.ts'
import { keepSalient, type SalientBy, type SalientOptions } from './salient-pass.ts'
import type { ScaleObjective } from './scale-objective.ts'
import { scalePass } from './scale-pass.ts'
import { smoothPass } from './smooth-pass.ts'

/** A method: what is done to every block, and on which activations. */
export interface Method {
  readonly name: string
  readonly passes: readonly Pass[]
  /** True when a pass reads activation statistics, so that calibration text is needed. */
  readonly statistics: boolean
  /** Bits of the linears when none are asked for; default 4. */
  readonly bits?: 2 | 3 | 4 | 8
  /** What the next block is calibrated on: the outputs of the float blocks before it, or of the quantized ones. */
  readonly propagate: 'float' | 'quantized'
  /** Which input channels stay float; `keepSalient` makes methods that keep some. */
  readonly salient?: SalientOptions | undefined
}

/** What becomes of the errors of the blocks that are quantized already. */
export type Propagation = 'float' | 'quantized' | 'compensated'

const PROPAGATIONS: readonly Propagation[] = ['float', 'quantized', 'compensated']

/** Options of the methods that have a name; a method without the step in question ignores them, with a warning. */
export interface MethodOptions extends GptqPassOptions {
  /**
   * How scales are found: `alpha`, `duo`, `channel`, `gradient`, `gptq`, or a strategy of your own; default `alpha`. With
   * `gptq`, `awq-gptq` chooses ranges for GPTQ's rounding too.
   */
  readonly scaleStrategy?: string | ScaleStrategy | undefined
  /** What scales are judged by: `linear` or an objective of your own; default `linear`. */
  readonly objective?: string | ScaleObjective | undefined
  /**
   * What becomes of the errors of a block: `float` calibrates each block on the outputs of the float blocks before it,
   * `quantized` on those of the quantized ones, `compensated` also moves the weights of each block to make up for the
   * errors before it (`compensatePass`).
   */
  readonly propagate?: Propagation | undefined
  /**
   * Whether the ends of a clipped range move by one ratio (`together`, the default) or each by its own (`independent`, the
   * default of `compensated`): closer to the Gram's diagonal blocks, in three times the clip search.
   */
  readonly clipEnds?: 'together' | 'independent' | undefined
  /** How much of the activations' range SmoothQuant moves into the weights, 0 to 1; default 0.5. */
  readonly smoothAlpha?: number | undefined
  /** Share of each linear's input channels that stay float16, 0..1; default 0. Any method takes it. */
  readonly keepSalient?: number | undefined
  /** What these channels are chosen by; default `activation`. */
  readonly salientBy?: SalientBy | undefined
  /** Of the choice by `random`; default 0. */
  readonly seed?: number | undefined
}

const scale = ({ scaleStrategy, objective }: MethodOptions): Pass => scalePass({ strategy: scaleStrategy, objective })

/** @param gptq what the pass that rounds behind it was given, when that is GPTQ's and the ranges are to be chosen for it */
const clip = ({ clipEnds, propagate }: MethodOptions, gptq?: GptqPassOptions): Pass => {
  const ends = clipEnds ?? (propagate === 'compensated' ? 'independent' : undefined)
  return clipPass({ ...(ends ? { ends } : {}), ...(gptq ? { gptq } : {}) })
}

/** Only what GPTQ has an option for: the options of a pass are part of what a resumed run must repeat. */
const gptqOptions = ({ damping, order }: MethodOptions): GptqPassOptions => ({
  ...(damping === undefined ? {} : { damping }),
  ...(order === undefined ? {} : { order }),
})

const round = (options: MethodOptions): Pass => gptqPass(gptqOptions(options))

/** A method of passes that fold scales, and passes that then turn the weights of each linear into codes. */
const calibrated = (
  name: string,
  folding: readonly Pass[],
  rounding: readonly Pass[],
  propagate: Propagation,
): Method => {
  if (!PROPAGATIONS.includes(propagate))
    throw new AwqError('INVALID_ARGUMENT', `unknown propagate "${propagate}"; known: ${PROPAGATIONS.join(', ')}`)
  return {
    name,
    passes: [...folding, ...(propagate === 'compensated' ? [compensatePass({ passes: rounding })] : rounding)],
    statistics: true,
    propagate: propagate === 'quantized' ? 'quantized' : 'float',
  }
}

/** Round to nearest: no calibration. */
export const rtn = (): Method => ({ name: 'rtn', passes: [rtnPass()], statistics: false, propagate: 'float' })

/** AWQ (arXiv 2306.00978): scale search, clip search, round to nearest. */
export const awq = (options: MethodOptions = {}): Method =>
  calibrated('awq', [scale(options)], [clip(options), rtnPass()], options.propagate ?? 'float')

/** GPTQ (arXiv 2210.17323): each block is calibrated on the outputs of the quantized blocks before it. */
export const gptq = (options: MethodOptions = {}): Method =>
  calibrated('gptq', [], [round(options)], options.propagate ?? 'quantized')

/**
 * AWQ's scales and clips with GPTQ's rounding on the same Gram matrices, and coordinate descent on its codes. With the scale
 * strategy `gptq` ranges too are chosen for what GPTQ makes of them, and the descent takes its time.
 */
export const awqGptq = (options: MethodOptions = {}): Method => {
  const forGptq = options.scaleStrategy === 'gptq'
  const coding = forGptq
    ? [clip(options, gptqOptions(options)), round(options), descendPass({ sweeps: 6 })]
    : [clip(options), round(options), descendPass()]
  return calibrated('awq-gptq', [scale(options)], coding, options.propagate ?? 'float')
}

/**
 * SmoothQuant (arXiv 2211.10438): smoothing, round to nearest. For 8-bit weights with 8-bit activations (accuracy
 * `fast`), which is why 8 bits are its default; fewer bits work, but what smoothing takes off the activations makes the
 * weights harder to round: `smoothquantAwq` is for those.
 */
export const smoothquant = (options: MethodOptions = {}): Method => ({
  ...calibrated('smoothquant', [smoothPass({ alpha: options.smoothAlpha })], [rtnPass()], options.propagate ?? 'float'),
  bits: 8,
})

/**
 * SmoothQuant, then AWQ on the smoothed weights and statistics, with scales judged by the outputs that 8-bit activations
 * give, then clip search and round to nearest.
 */
export const smoothquantAwq = (options: MethodOptions = {}): Method =>
  calibrated(
    'smoothquant-awq',
    [
      smoothPass({ alpha: options.smoothAlpha }),
      scale({ scaleStrategy: options.scaleStrategy, objective: options.objective ?? 'int8-activations' }),
    ],
    [clip(options), rtnPass()],
    options.propagate ?? 'float',
  )

/** The methods that have a name on the command line. */
export const methods: Readonly<Record<string, (options?: MethodOptions) => Method>> = {
  awq,
  rtn,
  gptq,
  'awq-gptq': awqGptq,
  smoothquant,
  'smoothquant-awq': smoothquantAwq,
}

type OptionName = Exclude<keyof MethodOptions, 'keepSalient' | 'salientBy' | 'seed'>

const SEARCHES: readonly OptionName[] = ['scaleStrategy', 'objective', 'clipEnds', 'propagate']
const GPTQ: readonly OptionName[] = ['damping', 'order']

/** The options that each named method reads. */
const optionsOf: Readonly<Record<string, readonly OptionName[]>> = {
  awq: SEARCHES,
  rtn: [],
  gptq: ['propagate', ...GPTQ],
  'awq-gptq': [...SEARCHES, ...GPTQ],
  smoothquant: ['smoothAlpha', 'propagate'],
  'smoothquant-awq': ['smoothAlpha', ...SEARCHES],
}

/** The options that decide what a named method does, each once. */
export const METHOD_OPTIONS: readonly OptionName[] = [...new Set(Object.values(optionsOf).flat())]

/**
 * What to warn of: the options that are given and that none of some methods reads. A method that is an object has its
 * own options and reads none of these.
 * @returns nothing when every option has an effect
 */
export const unusedOptionsWarning = (
  chosen: readonly (string | Method)[],
  options: MethodOptions,
): string | undefined => {
  const read = chosen.flatMap((method) => (typeof method === 'string' ? (optionsOf[method] ?? []) : []))
  const unused: (keyof MethodOptions)[] = METHOD_OPTIONS.filter(
    (option) => options[option] !== undefined && !read.includes(option),
  )
  if (options.salientBy !== undefined && !options.keepSalient) unused.push('salientBy')
  if (unused.length === 0) return undefined
  const words = unused.map((option) => option.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`))
  const names = chosen.map((method) => (typeof method === 'string' ? method : method.name))
  return `without effect on ${names.join(', ')}: ${words.join(', ')}`
}

/** The method of `quantize` when none is given: the best for its time. */
export const DEFAULT_METHOD = 'awq-gptq'

/**
 * A method by name with its options, or the method itself, whose own options stand; salient channels are kept by either.
 * @throws AwqError `INVALID_ARGUMENT` for an unknown name
 */
export const resolveMethod = (method: string | Method, options: MethodOptions = {}): Method => {
  const salient = { fraction: options.keepSalient ?? 0, by: options.salientBy, seed: options.seed }
  if (typeof method !== 'string') return method.salient ? method : keepSalient(method, salient)
  const makers = Object.entries(methods).map(([name, make]) => [name, () => make(options)] as const)
  return keepSalient(named('method', method, Object.fromEntries(makers)), salient)
}
