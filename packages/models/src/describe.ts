/**
 * A model's description: its configuration, its parameters with shapes, its linears, its scale groups.
 * @module
 */
import { AwqError, elementCount } from '@awq/tensor'
import type { Architecture, Step } from './architecture.ts'
import type { ModelConfig } from './config.ts'
import { readConfig } from './config-reader.ts'
import { findArchitecture } from './registry.ts'

/** A linear of a block. */
export interface LinearSpec {
  /** Base name inside the block, for example `self_attn.q_proj`. */
  readonly name: string
  readonly shape: readonly [out: number, inputs: number]
  readonly bias: boolean
  /** The value it reads; siblings share it, and with it their activation statistics. */
  readonly site: string
  /** The value it makes. */
  readonly output: string
}

/** A parameter of a block or of the model. */
export interface ParameterSpec {
  /** With its suffix: `self_attn.q_proj.weight`; inside a block without the block's prefix. */
  readonly name: string
  readonly shape: readonly number[]
}

/** Linears that share one scale per input channel, resolved for one model. */
export interface ScaleGroup {
  readonly kind: 'norm' | 'linear' | 'value'
  /** Base name of the parameter that absorbs the inverse scale. */
  readonly producer: string
  readonly consumers: readonly string[]
  readonly site: string
  /** `[in]`: the channel (norm) or row (linear) of the producer that makes each column of the consumers. */
  readonly producerRow: Int32Array
}

/** All that follows from a `config.json` and its architecture table. */
export interface ModelDescription {
  readonly architecture: Architecture
  readonly config: ModelConfig
  readonly steps: readonly Step[]
  readonly linears: readonly LinearSpec[]
  readonly scaleGroups: readonly ScaleGroup[]
  /** Parameters of one block. */
  readonly blockParameters: readonly ParameterSpec[]
  /** Embedding table, final norm, and the head unless it is tied to the embedding. */
  readonly outerParameters: readonly ParameterSpec[]
  /** Full names of the parameters outside the blocks; `head` is the embedding's name when they are tied. */
  readonly embedding: string
  readonly finalNorm: string
  readonly head: string
  /** Full name of a block's parameter: `parameter(3, 'mlp.up_proj.weight')`. */
  readonly parameter: (layer: number, name: string) => string
}

/** Every parameter of a model by its full name: those outside the blocks, then those of each block. */
export function* modelParameters(description: ModelDescription): Generator<ParameterSpec> {
  const { outerParameters, blockParameters, config, parameter } = description
  yield* outerParameters
  for (let layer = 0; layer < config.layers; layer++)
    for (const { name, shape } of blockParameters) yield { name: parameter(layer, name), shape }
}

/** The number of weights of a model; a tied table counts once. */
export const parameterCount = (description: ModelDescription): number => {
  let count = 0
  for (const { shape } of modelParameters(description)) count += elementCount(shape)
  return count
}

/** No model is wider; a description holds tables of this length, made before the checkpoint can contradict them. */
const MAX_WIDTH = 2 ** 20

const checkConfig = (config: ModelConfig): ModelConfig => {
  const reject = (message: string): never => {
    throw new AwqError('CONFIG', `config.json: ${message}`)
  }
  const widths = {
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    'num_attention_heads x head_dim': config.heads * config.headDim,
  }
  for (const [field, width] of Object.entries(widths))
    if (width > MAX_WIDTH) reject(`${field} is ${width}, more than the ${MAX_WIDTH} supported`)
  if (config.heads % config.kvHeads !== 0)
    reject(`num_attention_heads ${config.heads} must be a multiple of num_key_value_heads ${config.kvHeads}`)
  if (config.headDim % 2 !== 0)
    reject(`head_dim ${config.headDim} must be even: rotary position embedding turns pairs of elements`)
  if (config.layers > 4096) reject(`num_hidden_layers ${config.layers} is more than the 4096 supported`)
  return config
}

const parametersOf = (steps: readonly Step[], config: ModelConfig): ParameterSpec[] =>
  steps.flatMap((step): ParameterSpec[] => {
    if (step.step === 'rmsNorm') return [{ name: `${step.weight}.weight`, shape: [config.hiddenSize] }]
    if (step.step !== 'linear') return []
    const weight = { name: `${step.weight}.weight`, shape: [step.rows, step.columns] }
    return step.bias ? [weight, { name: `${step.weight}.bias`, shape: [step.rows] }] : [weight]
  })

/** Column `head * headDim + i` of the output projection reads row `kvHead * headDim + i` of the value projection. */
const valueRows = ({ heads, kvHeads, headDim }: ModelConfig): Int32Array =>
  Int32Array.from({ length: heads * headDim }, (_, column) => {
    const kvHead = Math.floor(Math.floor(column / headDim) / (heads / kvHeads))
    return kvHead * headDim + (column % headDim)
  })

/**
 * Describes a model from its parsed `config.json`.
 * @throws AwqError `CONFIG` for a missing or impossible field, `UNSUPPORTED` for an unknown `model_type` or option
 */
export const describeModel = (configJson: unknown): ModelDescription => {
  const reader = readConfig(configJson)
  const quantized = reader.object('quantization_config')
  if (quantized)
    throw new AwqError(
      'UNSUPPORTED',
      `config.json: the model is quantized already (quantization_config: ${quantized.text('quant_method', 'unnamed')}); ` +
        'use its float checkpoint instead',
    )
  const modelType = reader.text('model_type', '')
  if (modelType === '') reader.reject('model_type', 'the name of a model family')
  const architecture = findArchitecture(modelType)
  const config = checkConfig(architecture.config(reader, modelType))
  const steps = architecture.block(config)
  const linears = steps.flatMap((step): LinearSpec[] =>
    step.step === 'linear'
      ? [{ name: step.weight, shape: [step.rows, step.columns], bias: step.bias, site: step.from, output: step.to }]
      : [],
  )
  const scaleGroups = architecture.scaleGroups.map((rule): ScaleGroup => {
    const consumer = linears.find((linear) => linear.name === rule.consumers[0])
    if (!consumer) throw new AwqError('CONFIG', `${modelType}: the scale group of ${rule.producer} names no linear`)
    const producerRow =
      rule.kind === 'value' ? valueRows(config) : Int32Array.from({ length: consumer.shape[1] }, (_, i) => i)
    return { ...rule, site: consumer.site, producerRow }
  })
  const { names } = architecture
  const embedding = `${names.embedding}.weight`
  const finalNorm = `${names.finalNorm}.weight`
  const head = config.tiedEmbeddings ? embedding : `${names.head}.weight`
  const table = [config.vocabSize, config.hiddenSize]
  return {
    architecture,
    config,
    steps,
    linears,
    scaleGroups,
    blockParameters: parametersOf(steps, config),
    outerParameters: [
      { name: embedding, shape: table },
      { name: finalNorm, shape: [config.hiddenSize] },
      ...(config.tiedEmbeddings ? [] : [{ name: head, shape: table }]),
    ],
    embedding,
    finalNorm,
    head,
    parameter: (layer, name) => `${names.block(layer)}.${name}`,
  }
}
