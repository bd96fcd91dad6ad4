/**
 * Rotary settings of `config.json`.
 * @module
 */
import { AwqError } from '@awq/tensor'
import type { ConfigReader } from './config-reader.ts'
import type { RopeScaling } from './rope-scaling.ts'
import type { RopeSections, RopeSpec } from './steps.ts'

/** What a family says of its rotary embedding. */
export interface RopeOptions {
  readonly headDim: number
  /** `max_position_embeddings`, or what the family calls it. */
  readonly contextLength: number
  /** Base without `rope_theta`; default 10000. */
  readonly theta?: number | undefined
  /** Share of a head that is turned, where config.json may say so; the number is the default. Else it must be all. */
  readonly partial?: number | undefined
  readonly interleaved?: boolean | undefined
  /** Where `original_max_position_embeddings` is absent; default the context. */
  readonly originalContextLength?: number | undefined
  /** For positions of three parts, how many frequencies turn with each, where config.json does not say so. */
  readonly sections?: RopeSections | undefined
  /** Where the settings are, when not in `rope_parameters` or `rope_scaling`. */
  readonly parameters?: ConfigReader | undefined
}

/**
 * Reads rope settings in both spellings: `rope_theta` + `rope_scaling` (transformers 4) and `rope_parameters` (5).
 * @throws AwqError `UNSUPPORTED` for a scaling that is not implemented, naming it; `CONFIG` for one that can not be
 */
export const readRope = (config: ConfigReader, options: RopeOptions): RopeSpec => {
  const { headDim, contextLength, partial, interleaved = false } = options
  // Where both are there, transformers takes the older one.
  const parameters = options.parameters ?? config.object('rope_scaling') ?? config.object('rope_parameters')
  for (const kind of ['full_attention', 'sliding_attention'])
    if (parameters?.has(kind)) return parameters.unsupported(kind, 'one rotation for all layers')
  const holding = (field: string) => [parameters, config].find((reader) => reader?.has(field))
  const theta = holding('rope_theta')?.positive('rope_theta', 1) ?? options.theta ?? 10000
  const share = holding('partial_rotary_factor')
  const factor = share?.positive('partial_rotary_factor', 1) ?? partial ?? 1
  if (partial === undefined && factor !== 1) return share!.unsupported('partial_rotary_factor', '1')
  if (factor > 1) return share!.reject('partial_rotary_factor', 'at most 1')
  const span = Math.trunc(headDim * factor)
  const width = span + (span % 2)
  if (width === 0 || width > headDim)
    throw new AwqError(
      'CONFIG',
      `config.json: ${span === headDim ? 'head_dim' : 'the rotated part of head_dim'} ${span} must be even: ` +
        'rotary position embedding turns pairs of elements',
    )
  const original = 'original_max_position_embeddings'
  const context = {
    contextLength,
    originalContextLength: (config.has(original) ? config : (parameters ?? config)).size(
      original,
      options.originalContextLength ?? contextLength,
    ),
    threeParts: options.sections !== undefined,
  }
  const scaling = parameters ? readScaling(parameters, width, context) : ({ type: 'default' } as const)
  const sections = options.sections && readSections(parameters, options.sections, width / 2)
  return { theta, width, ...(span === width ? {} : { span }), interleaved, scaling, ...(sections ? { sections } : {}) }
}

const readSections = (parameters: ConfigReader | undefined, usual: RopeSections, count: number): RopeSections => {
  const found = parameters?.numbers('mrope_section') ?? usual
  const [time, row, column] = found as RopeSections
  if (found.length === 3 && found.every((size) => Number.isInteger(size) && size >= 0) && time + row + column === count)
    return [time, row, column]
  throw new AwqError(
    'CONFIG',
    `config.json: mrope_section [${found.join(', ')}] must be three whole numbers that add up to ${count}, half of head_dim`,
  )
}

const readScaling = (
  parameters: ConfigReader,
  width: number,
  context: {
    readonly contextLength: number
    readonly originalContextLength: number
    readonly threeParts: boolean
  },
): RopeScaling => {
  const field = parameters.has('rope_type') ? 'rope_type' : 'type'
  const { contextLength, originalContextLength } = context
  switch (parameters.text(field, 'default')) {
    case 'default':
      return { type: 'default' }
    // Qwen2-VL's files call positions of three parts a scaling.
    case 'mrope':
      return context.threeParts
        ? { type: 'default' }
        : parameters.unsupported(field, 'default, linear, dynamic, llama3, yarn, longrope')
    case 'linear':
      return { type: 'linear', factor: parameters.positive('factor', 1) }
    case 'dynamic':
      if (width < 4) return parameters.unsupported(field, 'default, for heads that turn two elements')
      return { type: 'dynamic', factor: parameters.positive('factor', 1), contextLength }
    case 'llama3': {
      const lowFrequencyFactor = parameters.positive('low_freq_factor', 1)
      const highFrequencyFactor = parameters.positive('high_freq_factor', 4)
      if (highFrequencyFactor <= lowFrequencyFactor)
        return parameters.reject('high_freq_factor', `above low_freq_factor ${lowFrequencyFactor}`)
      const factor = parameters.positive('factor', 8)
      return { type: 'llama3', factor, lowFrequencyFactor, highFrequencyFactor, originalContextLength }
    }
    case 'yarn':
      return readYarn(parameters, context)
    case 'longrope':
    case 'su':
      return readLongRope(parameters, width, context)
    default:
      return parameters.unsupported(field, 'default, linear, dynamic, llama3, yarn, longrope')
  }
}

type Context = Parameters<typeof readScaling>[2]

const readYarn = (parameters: ConfigReader, { contextLength, originalContextLength }: Context): RopeScaling => {
  const factor = parameters.positive('factor', contextLength / originalContextLength)
  const weight = (by: number) => (factor <= 1 ? 1 : 0.1 * by * Math.log(factor) + 1)
  const [mscale, all] = ['mscale', 'mscale_all_dim'].map((name) => parameters.number(name, 0))
  const computed = mscale && all ? weight(mscale) / weight(all) : weight(1)
  return {
    type: 'yarn',
    factor,
    fast: parameters.positive('beta_fast', 32),
    slow: parameters.positive('beta_slow', 1),
    originalContextLength,
    truncate: parameters.flag('truncate', true),
    attentionFactor: parameters.positive('attention_factor', computed),
  }
}

const readLongRope = (parameters: ConfigReader, width: number, context: Context): RopeScaling => {
  const { contextLength, originalContextLength } = context
  const factor = parameters.positive('factor', contextLength / originalContextLength)
  const computed = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(originalContextLength))
  const divisors = (field: string): readonly number[] => {
    const values = parameters.numbers(field)
    return values?.length === width / 2 && values.every((value) => value > 0)
      ? values
      : parameters.reject(field, `a list of ${width / 2} numbers above 0`)
  }
  return {
    type: 'longrope',
    short: divisors('short_factor'),
    long: divisors('long_factor'),
    originalContextLength,
    attentionFactor: parameters.positive('attention_factor', computed),
  }
}
