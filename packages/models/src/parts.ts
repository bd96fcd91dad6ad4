/**
 * Pieces that many families' tables have in common: dimensions, norms, attention and MLPs as steps.
 * @module
 */
import type { Activation } from './activation.ts'
import type { ModelTable, OuterTable, ScaleGroupRule } from './architecture.ts'
import type { ModelConfig } from './config.ts'
import type { ConfigReader } from './config-reader.ts'
import type { AttentionStep, LinearStep, NormStep, Step } from './steps.ts'

/**
 * Which layers attend within a window: `layer_types`, or the family's rule where that is absent.
 * @throws AwqError `UNSUPPORTED` for another kind of layer, `CONFIG` for too short a list
 */
export const readSlidingLayers = (
  reader: ConfigReader,
  layers: number,
  fallback: (layer: number) => boolean,
): ((layer: number) => boolean) => {
  const types = reader.texts('layer_types')
  if (!types) return fallback
  if (types.length < layers) reader.reject('layer_types', `a list of ${layers} kinds of layers`)
  const known = ['full_attention', 'sliding_attention']
  if (types.some((type) => !known.includes(type))) reader.unsupported('layer_types', known.join(', '))
  return (layer) => types[layer] === 'sliding_attention'
}

/**
 * Positions that a token sees, itself included: `sliding_window`; null when it sees all before it.
 * @param fallback the family's own, where the field is absent
 * @throws AwqError `CONFIG` when it is no whole number above 0
 */
export const readWindow = (reader: ConfigReader, fallback?: number): number | null => {
  const window = reader.optional('sliding_window', fallback)
  return window === null || Number.isInteger(window)
    ? window
    : reader.reject('sliding_window', 'a whole number, or null')
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

/** What the norms on the heads of query and key have in common; `bias` and `offset` none unless given. */
export type HeadNorm = Pick<NormStep, 'norm' | 'epsilon'> & Partial<Pick<NormStep, 'bias' | 'offset' | 'weights'>>

/**
 * A norm on each head of query and key before attention, as options of `separateAttention`.
 * @param names of the two norms
 */
export const headNorms = (
  { heads, kvHeads, headDim }: ModelConfig,
  norm: HeadNorm,
  [queryNorm, keyNorm]: readonly [string, string] = ['self_attn.q_norm', 'self_attn.k_norm'],
): Pick<SeparateAttention, 'query' | 'key' | 'between'> => {
  const on = (weight: string, parts: number, from: string, to: string): NormStep => ({
    ...{ step: 'norm', bias: false, offset: 0 },
    ...norm,
    ...{ weight, from, to, parts, width: parts * headDim },
  })
  const [query, key] = ['normedQuery', 'normedKey'] as const
  return { query, key, between: [on(queryNorm, heads, 'query', query), on(keyNorm, kvHeads, 'key', key)] }
}

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

/** `down(act(gate x) * up x)`. */
export const gatedMlp = (
  { hiddenSize, intermediateSize }: Pick<ModelConfig, 'hiddenSize' | 'intermediateSize'>,
  options: {
    readonly from: string
    /** Default `mlpOutput`. */
    readonly to?: string | undefined
    readonly activation: Activation
    readonly bias?: boolean | undefined
    readonly names?: readonly [gate: string, up: string, down: string] | undefined
  },
): Step[] => {
  const { from, to = 'mlpOutput', activation, bias = false, names } = options
  const [gate, up, down] = names ?? ['mlp.gate_proj', 'mlp.up_proj', 'mlp.down_proj']
  return [
    linear(gate, [intermediateSize, hiddenSize], from, 'gate', bias),
    linear(up, [intermediateSize, hiddenSize], from, 'up', bias),
    { step: 'activation', activation, from: 'gate', to: 'activated' },
    { step: 'multiply', left: 'activated', right: 'up', to: 'gated' },
    linear(down, [hiddenSize, intermediateSize], 'gated', to, bias),
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

/** Several steps' values added one to the other: `to = a + b + ...`. */
export const sum = (values: readonly string[], to: string): Step[] => {
  const [first, ...rest] = values
  let left = first!
  return rest.map((right, i): Step => {
    const made = i === rest.length - 1 ? to : `${to}.${i}`
    const step: Step = { step: 'add', left, right, to: made }
    left = made
    return step
  })
}

/** `hidden + x`, as `hidden`. */
export const addToHidden = (x: string): Step => ({ step: 'add', left: 'hidden', right: x, to: 'hidden' })

/** Names outside the blocks as Llama's checkpoints have them. @param norm the final norm, of `hidden`, to `normed` */
export const llamaNames = (
  norm: NormStep,
  more: Partial<OuterTable> = {},
): Pick<ModelTable, 'outer' | 'prefix' | 'blockName'> => ({
  outer: { embedding: 'model.embed_tokens', norm: [norm], head: 'lm_head', ...more },
  prefix: 'model.',
  blockName: (layer) => `model.layers.${layer}`,
})

/** Each group with a producer of that kind, all its consumers named. */
export const scaleGroup = (
  kind: ScaleGroupRule['kind'],
  producer: string,
  ...consumers: readonly string[]
): ScaleGroupRule => ({ kind, producer, consumers })

/** The groups of a block with separate projections and a gated MLP, between the two norms and behind them. */
export const llamaGroups = (first = 'input_layernorm', second = 'post_attention_layernorm'): ScaleGroupRule[] => [
  ...selfAttentionGroups(first),
  scaleGroup('norm', second, 'mlp.gate_proj', 'mlp.up_proj'),
  scaleGroup('linear', 'mlp.up_proj', 'mlp.down_proj'),
]

/** Those of Llama's attention alone. */
export const selfAttentionGroups = (norm = 'input_layernorm'): ScaleGroupRule[] => [
  scaleGroup('norm', norm, 'self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'),
  scaleGroup('value', 'self_attn.v_proj', 'self_attn.o_proj'),
]

/** The group of an MLP's second linear: its first one where the activation lets scales through, else a vector between. */
export const plainMlpGroup = (activation: Activation, up: string, down: string): ScaleGroupRule =>
  activation === 'relu' ? scaleGroup('linear', up, down) : scaleGroup('activation', `${down}.input_scale`, down)
