/**
 * What a GGUF file says of a model: the settings that llama.cpp reads, from the description of what it computes.
 * @module
 */
import type { ModelDescription } from '@awq/models'
import { type GgufArchitecture, settingTensors } from './architectures.ts'
import { gemmaScalar } from './config.ts'
import type { GgufField } from './encode.ts'

type Block = ModelDescription['blocks'][number]

/** A tensor of settings. */
export interface SettingTensor {
  readonly name: string
  readonly values: Float32Array
}

/** Settings of a file, or what llama.cpp can not be told. */
export interface GgufMetadata {
  readonly fields: ReadonlyMap<string, GgufField>
  readonly tensors: readonly SettingTensor[]
  /** One line for each thing that llama.cpp does not compute. */
  readonly problems: readonly string[]
  /** One line for each thing that it computes otherwise in some cases. */
  readonly warnings: readonly string[]
}

const epsilonOf = ({ steps }: Block): number => steps.find((step) => step.step === 'norm')?.epsilon ?? 0

/** Divisors of rotary frequencies by Llama 3.1's rule, as llama.cpp's own converter computes them. */
const llama3Divisors = ({
  theta,
  width,
  scaling,
}: NonNullable<Block['attention']['rope']>): Float32Array | undefined => {
  if (scaling.type !== 'llama3') return undefined
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalContextLength: original } = scaling
  return Float32Array.from({ length: width / 2 }, (_, i) => {
    const wavelength = 2 * Math.PI * theta ** ((2 * i) / width)
    if (wavelength < original / high) return 1
    if (wavelength > original / low) return factor
    const smooth = (original / wavelength - low) / (high - low)
    return 1 / ((1 - smooth) / factor + smooth)
  })
}

const ropeOf = (
  rope: NonNullable<Block['attention']['rope']>,
  put: (key: string, field: GgufField) => void,
  problems: string[],
): SettingTensor[] => {
  const { scaling } = rope
  const float = (key: string, value: number) => put(`rope.scaling.${key}`, { type: 'float32', value })
  const count = (key: string, value: number) => put(`rope.scaling.${key}`, { type: 'uint32', value })
  const kind = (value: string) => put('rope.scaling.type', { type: 'string', value })
  switch (scaling.type) {
    case 'default':
      return []
    case 'linear':
      kind('linear')
      float('factor', scaling.factor)
      return []
    case 'llama3':
      return [{ name: settingTensors.frequencies, values: llama3Divisors(rope)! }]
    case 'longrope':
      float('attn_factor', scaling.attentionFactor)
      count('original_context_length', scaling.originalContextLength)
      return [
        { name: settingTensors.long, values: Float32Array.from(scaling.long) },
        { name: settingTensors.short, values: Float32Array.from(scaling.short) },
      ]
    case 'yarn': {
      kind('yarn')
      float('factor', scaling.factor)
      count('original_context_length', scaling.originalContextLength)
      const usual = scaling.factor <= 1 ? 1 : 0.1 * Math.log(scaling.factor) + 1
      if (Math.abs(scaling.attentionFactor - usual) > 1e-6) float('yarn_attn_factor', scaling.attentionFactor)
      if (scaling.fast !== 32) float('yarn_beta_fast', scaling.fast)
      if (scaling.slow !== 1) float('yarn_beta_slow', scaling.slow)
      if (!scaling.truncate) problems.push('config.json: rope scaling yarn without truncation')
      return []
    }
    default:
      problems.push(`config.json: rope scaling ${scaling.type}, which llama.cpp does not have`)
      return []
  }
}

/** What each family's graph in llama.cpp takes for granted. */
const checkFamily = (
  { name }: GgufArchitecture,
  { config, blocks, outer }: ModelDescription,
  put: (key: string, field: GgufField) => void,
  problems: string[],
  warnings: string[],
): void => {
  const gemma = name.startsWith('gemma')
  const windows = new Set(blocks.map(({ attention }) => attention.window))
  const widest = Math.max(0, ...[...windows].filter((window) => window !== null))
  const float = (key: string, value: number) => put(key, { type: 'float32', value })
  for (const { steps, attention } of new Set(blocks)) {
    const activation = steps.find((step) => step.step === 'activation')?.activation
    if (activation !== (gemma ? 'geluTanh' : 'silu')) problems.push(`config.json: its activation is ${activation}`)
    const { heads, headDim, scale, softCap } = attention
    const gemmaWidth = gemmaScalar(config.modelType, config.layers, config.hiddenSize, heads, headDim)
    const usual = (name === 'gemma2' || name === 'gemma3' ? gemmaWidth : headDim) ** -0.5
    if (Math.abs(scale / usual - 1) > 1e-5)
      problems.push(`config.json: scores are multiplied by ${scale}, not by ${usual}`)
    if ((softCap !== null) !== (name === 'gemma2')) problems.push(`config.json: soft cap of scores ${softCap}`)
    else if (softCap !== null) float('attn_logit_softcapping', softCap)
  }
  const cap = outer.logits.steps.find((step) => step.step === 'softCap')?.cap
  if (cap !== undefined) {
    if (name === 'gemma2' || name === 'gemma3') float('final_logit_softcapping', cap)
    else problems.push(`config.json: soft cap of logits ${cap}`)
  } else if (name === 'gemma2') problems.push('config.json: no soft cap of logits')
  if (name === 'gemma2' || name === 'gemma3') {
    const period = name === 'gemma2' ? 2 : 6
    const regular = blocks.every(({ attention }, layer) => (attention.window === null) === ((layer + 1) % period === 0))
    if (widest > 0 && !regular) problems.push(`config.json: windows in other layers than all but every ${period}th`)
    if (widest > 0) put('attention.sliding_window', { type: 'uint32', value: widest })
  } else if (widest > 0) {
    if (name === 'phi3') put('attention.sliding_window', { type: 'uint32', value: widest })
    warnings.push(`llama.cpp lets ${name} models attend beyond ${widest} tokens, where this one has a window`)
  } else if (name === 'phi3') put('attention.sliding_window', { type: 'uint32', value: 0 })
}

/** The settings of a model in a family's words. */
export const ggufMetadata = (architecture: GgufArchitecture, description: ModelDescription): GgufMetadata => {
  const { config, blocks } = description
  const fields = new Map<string, GgufField>()
  const [problems, warnings]: [string[], string[]] = [[], []]
  const put = (key: string, field: GgufField) => fields.set(`${architecture.name}.${key}`, field)
  const count = (key: string, value: number) => put(key, { type: 'uint32', value })
  fields.set('general.architecture', { type: 'string', value: architecture.name })
  fields.set('general.type', { type: 'string', value: 'model' })
  fields.set('general.quantization_version', { type: 'uint32', value: 2 })
  count('block_count', config.layers)
  count('context_length', config.contextLength)
  count('embedding_length', config.hiddenSize)
  count('feed_forward_length', config.intermediateSize)
  count('attention.head_count', config.heads)
  count('attention.head_count_kv', config.kvHeads)
  count('attention.key_length', config.headDim)
  count('attention.value_length', config.headDim)
  count('vocab_size', config.vocabSize)
  put('attention.layer_norm_rms_epsilon', { type: 'float32', value: epsilonOf(blocks[0]!) })
  const ropes = blocks.map(({ attention }) => attention.rope)
  const whole = blocks.find(({ attention }) => attention.window === null)?.attention.rope ?? ropes[0]!
  if (ropes.some((rope) => rope === null || rope.interleaved)) problems.push('config.json: its rotary embedding')
  const local = blocks.find(({ attention }) => attention.window !== null)?.attention.rope
  if (architecture.name === 'gemma3' && local && local.theta !== 10000) {
    put('rope.freq_base_swa', { type: 'float32', value: local.theta })
  }
  count('rope.dimension_count', whole.width)
  put('rope.freq_base', { type: 'float32', value: whole.theta })
  const tensors = ropeOf(whole, put, problems)
  if (whole.scaling.type === 'longrope') {
    const { originalContextLength, short, long } = whole.scaling
    if (short.some((divisor, i) => divisor !== long[i])) {
      warnings.push(
        `llama.cpp turns all positions by the long factors where its context is longer than ${originalContextLength} tokens; ` +
          'this model does where the text is',
      )
    }
  }
  checkFamily(architecture, description, put, problems, warnings)
  return { fields, tensors, problems, warnings }
}
