/**
 * Pieces that many families' tables have in common: dimensions, norms, attention and MLPs as steps.
 * @module
 */
import type { Activation } from './activation.ts'
import type { ModelConfig } from './config.ts'
import type { ConfigReader } from './config-reader.ts'
import type { AttentionStep, LinearStep, NormStep, Step } from './steps.ts'

/** What a family's `config.json` has where a field is absent; a name where it calls the field something else. */
export interface SizeDefaults {
  readonly contextLength?: number | undefined
  readonly tied?: boolean | undefined
  readonly kvHeads?: number | undefined
  readonly headDim?: number | undefined
  readonly intermediateSize?: number | undefined
}

/** The dimensions by the field names that most families use. */
export const readSizes = (reader: ConfigReader, modelType: string, defaults: SizeDefaults = {}): ModelConfig => {
  const heads = reader.size('num_attention_heads')
  const hiddenSize = reader.size('hidden_size')
  return {
    modelType,
    hiddenSize,
    embeddingSize: hiddenSize,
    intermediateSize: reader.size('intermediate_size', defaults.intermediateSize),
    layers: reader.size('num_hidden_layers'),
    heads,
    kvHeads: reader.size('num_key_value_heads', defaults.kvHeads ?? heads),
    headDim: reader.size('head_dim', defaults.headDim ?? Math.floor(hiddenSize / heads)),
    vocabSize: reader.size('vocab_size'),
    contextLength: reader.size('max_position_embeddings', defaults.contextLength ?? 2048),
    tiedEmbeddings: reader.flag('tie_word_embeddings', defaults.tied ?? false),
  }
}

/** RMS norm with a weight. @param offset 1 where checkpoints hold what is added to one */
export const rmsNorm = (
  weight: string,
  width: number,
  epsilon: number,
  from: string,
  to: string,
  offset: 0 | 1 = 0,
): NormStep => ({ step: 'norm', norm: 'rms', weight, bias: false, offset, epsilon, width, from, to })

/** Layer norm with weight and bias. */
export const layerNorm = (
  weight: string,
  width: number,
  epsilon: number,
  from: string,
  to: string,
  bias = true,
): NormStep => ({ step: 'norm', norm: 'layer', weight, bias, offset: 0, epsilon, width, from, to })

/** A linear. @param shape `[rows, columns]` of its weight */
export const linear = (
  weight: string,
  [rows, columns]: readonly [number, number],
  from: string,
  to: string,
  bias = false,
): LinearStep => ({ step: 'linear', weight, from, to, rows, columns, bias })

/** The attention of a configuration's heads over values `query`, `key` and `value`, to `attended`. */
export const attend = (
  { heads, kvHeads, headDim }: ModelConfig,
  options: Partial<AttentionStep> & Pick<AttentionStep, 'rope'>,
): AttentionStep => ({
  step: 'attention',
  query: 'query',
  key: 'key',
  value: 'value',
  to: 'attended',
  heads,
  kvHeads,
  headDim,
  scale: 1 / Math.sqrt(headDim),
  window: null,
  softCap: null,
  alibi: null,
  ...options,
})

/** How `separateAttention` is put together. */
export interface SeparateAttention extends Partial<Omit<AttentionStep, 'step'>> {
  readonly rope: AttentionStep['rope']
  readonly from: string
  /** Bias of query, key and value. */
  readonly bias?: boolean | undefined
  /** Bias of the output projection; default that of the others. */
  readonly outputBias?: boolean | undefined
  /** Names of query, key, value and output projection. */
  readonly names?: readonly [query: string, key: string, value: string, output: string] | undefined
  /** Steps on `query`, `key`, `value` before attention. */
  readonly between?: readonly Step[] | undefined
}

/** Attention with projections of their own, from `from` to `attentionOutput`. */
export const separateAttention = (config: ModelConfig, options: SeparateAttention): Step[] => {
  const { from, bias = false, outputBias = bias, between = [], names, ...attention } = options
  const { hiddenSize, heads, kvHeads, headDim } = config
  const [q, k, v, o] = names ?? ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj', 'self_attn.o_proj']
  return [
    linear(q, [heads * headDim, hiddenSize], from, 'query', bias),
    linear(k, [kvHeads * headDim, hiddenSize], from, 'key', bias),
    linear(v, [kvHeads * headDim, hiddenSize], from, 'value', bias),
    ...between,
    attend(config, attention),
    linear(o, [hiddenSize, heads * headDim], 'attended', 'attentionOutput', outputBias),
  ]
}

/** `down(act(gate x) * up x)`, from `from` to `mlpOutput`. */
export const gatedMlp = (
  { hiddenSize, intermediateSize }: ModelConfig,
  options: {
    readonly from: string
    readonly activation: Activation
    readonly bias?: boolean | undefined
    readonly names?: readonly [gate: string, up: string, down: string] | undefined
  },
): Step[] => {
  const { from, activation, bias = false, names } = options
  const [gate, up, down] = names ?? ['mlp.gate_proj', 'mlp.up_proj', 'mlp.down_proj']
  return [
    linear(gate, [intermediateSize, hiddenSize], from, 'gate', bias),
    linear(up, [intermediateSize, hiddenSize], from, 'up', bias),
    { step: 'activation', activation, from: 'gate', to: 'activated' },
    { step: 'multiply', left: 'activated', right: 'up', to: 'gated' },
    linear(down, [hiddenSize, intermediateSize], 'gated', 'mlpOutput', bias),
  ]
}

/**
 * `down(act(up x))`, from `from` to `mlpOutput`. Activations that do not let a scale through have a vector `DOWN.input_scale`
 * behind them, which is 1 until a scale pass divides it.
 */
export const plainMlp = (
  { hiddenSize, intermediateSize }: ModelConfig,
  options: {
    readonly from: string
    readonly activation: Activation
    readonly names: readonly [up: string, down: string]
    readonly bias?: boolean | undefined
    readonly transposed?: boolean | undefined
  },
): Step[] => {
  const { from, activation, bias = true, transposed = false, names } = options
  const [up, down] = names
  const passes = activation === 'relu'
  const stored = transposed ? { transposed } : {}
  return [
    { ...linear(up, [intermediateSize, hiddenSize], from, 'up', bias), ...stored },
    { step: 'activation', activation, from: 'up', to: passes ? 'mlpInner' : 'activated' },
    ...(passes ? [] : [inputScale(down, intermediateSize, 'activated', 'mlpInner')]),
    { ...linear(down, [hiddenSize, intermediateSize], 'mlpInner', 'mlpOutput', bias), ...stored },
  ]
}

/** The vector that takes the inverse scale of `consumer`'s input. */
export const inputScale = (consumer: string, width: number, from: string, to: string): Step => ({
  step: 'scale',
  weight: `${consumer}.input_scale`,
  width,
  from,
  to,
})
