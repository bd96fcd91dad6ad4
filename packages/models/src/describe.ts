/**
 * A model's description: its dimensions, its blocks, what lies around them, its parameters with their names.
 * @module
 */
import { AwqError, elementCount } from '@awq/tensor'
import type { ModelTable } from './architecture.ts'
import { checkOuterSteps } from './check-steps.ts'
import type { ModelConfig } from './config.ts'
import { readConfig } from './config-reader.ts'
import { type BlockDescription, describeBlock } from './describe-block.ts'
import type { StepList } from './emit-steps.ts'
import { findArchitecture } from './registry.ts'
import { type Positioned, type SequenceNeeds, sequenceNeeds } from './sequence-needs.ts'
import { type ParameterSpec, type Step, stepParameters } from './steps.ts'
import { readStoredFormat, type StoredFormat } from './stored-format.ts'
import { describeVision, type VisionDescription } from './vision/describe-vision.ts'

/** What a model computes before and after its blocks. */
export interface OuterDescription {
  /** From the embedded tokens `hidden` to the residual stream `hidden`. */
  readonly embed: StepList
  /** From the residual stream `hidden` to what the head reads, made by the last step. */
  readonly norm: StepList
  /** From the head's product `logits` to `logits`. */
  readonly logits: StepList
  /** Full name of the head's bias; null without one. */
  readonly headBias: string | null
  /** All parameters but the embedding table and the head's. */
  readonly dense: readonly ParameterSpec[]
}

/** All that follows from a `config.json` and its architecture table. */
export interface ModelDescription extends Positioned {
  readonly config: ModelConfig
  /** By layer. Blocks that are alike are the same object. */
  readonly blocks: readonly BlockDescription[]
  readonly outer: OuterDescription
  /** Parameters outside the blocks: embedding table, the head's unless it is tied to it, and all others. */
  readonly outerParameters: readonly ParameterSpec[]
  /** Full names of the tables; `head` is the embedding's name when they are tied, `headTable` its own name all the same. */
  readonly embedding: string
  readonly head: string
  readonly headTable: string
  /** The prefix of a block's parameters: `model.layers.3`. */
  readonly blockName: (layer: number) => string
  /** Full name of a block's parameter: `parameter(3, 'mlp.up_proj.weight')`. */
  readonly parameter: (layer: number, name: string) => string
  /** As in the family's table. */
  readonly prefix: string
  readonly aliases: Readonly<Record<string, string>>
  readonly fileNames: Readonly<Record<string, string>>
  readonly stacked: Readonly<Record<string, string>>
  readonly extraBlocks: number
  readonly ignored: readonly string[]
  /** How the float checkpoint's matrices are stored. */
  readonly stored: StoredFormat
  /** How it sees; null where it reads text alone. Checkpoints of its language model alone lack the parameters. */
  readonly vision: VisionDescription | null
  /** Why it does not see although its config.json describes how; else null. */
  readonly blindness: AwqError | null
}

/** Every parameter of a model by its full name: those outside the blocks, then those of each block. */
export function* modelParameters({ outerParameters, blocks, parameter }: ModelDescription): Generator<ParameterSpec> {
  yield* outerParameters
  for (const [layer, block] of blocks.entries())
    for (const spec of block.parameters) yield { ...spec, name: parameter(layer, spec.name) }
}

/** The share of a parameter's bytes that one token reads, by full name, where it is not all: of experts, those chosen. */
export const sharesPerToken = ({ blocks, parameter }: ModelDescription): ReadonlyMap<string, number> => {
  const shares = new Map<string, number>()
  for (const [layer, { steps }] of blocks.entries())
    for (const step of steps)
      if (step.step === 'experts')
        for (const { name } of stepParameters(step)) shares.set(parameter(layer, name), step.chosen / step.experts)
  return shares
}

/** The number of weights of a model; a tied table counts once, vectors that float checkpoints do not have not at all. */
export const parameterCount = (
  description: ModelDescription,
  options: { /** With those of tower and projector; default false. */ readonly vision?: boolean } = {},
): number => {
  let count = 0
  for (const { shape, optional } of modelParameters(description)) if (!optional) count += elementCount(shape)
  if (options.vision) for (const { shape } of description.vision?.parameters ?? []) count += elementCount(shape)
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
  if (config.layers > 4096) reject(`num_hidden_layers ${config.layers} is more than the 4096 supported`)
  return config
}

const describeBlocks = ({ config, block }: ModelTable): BlockDescription[] => {
  const known = new Map<string, BlockDescription>()
  return Array.from({ length: config.layers }, (_, layer) => {
    const table = block(layer)
    const key = JSON.stringify([config.modelType, config.hiddenSize, table])
    const made = known.get(key) ?? describeBlock(config, table, key)
    known.set(key, made)
    return made
  })
}

const describeOuter = ({ config, outer }: ModelTable): OuterDescription => {
  const part = (steps: readonly Step[] = []): StepList => ({ steps, name: config.modelType })
  const parts = { embed: part(outer.embed), norm: part(outer.norm), logits: part(outer.logits) }
  checkOuterSteps(`${config.modelType}, in front of the blocks`, parts.embed.steps, ['positions'])
  for (const { steps } of [parts.norm, parts.logits]) checkOuterSteps(`${config.modelType}, behind the blocks`, steps)
  const headBias = outer.headBias ? `${outer.head}.bias` : null
  return {
    ...parts,
    headBias,
    dense: [
      ...Object.values(parts).flatMap(({ steps }) => steps.flatMap(stepParameters)),
      ...(headBias ? [{ name: headBias, shape: [config.vocabSize] }] : []),
    ],
  }
}

/** Frequencies that follow the sequence's length serve contexts longer by their factor than that of the training. */
const stretchedContext = ({ contextLength }: ModelConfig, { ropes }: SequenceNeeds): number => {
  const factors = ropes.map(({ rope }) => (rope.scaling.type === 'dynamic' ? rope.scaling.factor : 1))
  return Math.floor(contextLength * Math.max(1, ...factors))
}

/** How a model sees, or why it does not. */
const describeSight = ({ vision, config }: ModelTable): Pick<ModelDescription, 'vision' | 'blindness'> => {
  try {
    return { vision: vision ? describeVision(vision(), config.hiddenSize) : null, blindness: null }
  } catch (error) {
    if (!AwqError.is(error)) throw error
    return { vision: null, blindness: error }
  }
}

/**
 * Describes a model from its parsed `config.json`.
 * @throws AwqError `CONFIG` for a missing or impossible field, `UNSUPPORTED` for an unknown `model_type` or option
 */
export const describeModel = (configJson: unknown): ModelDescription => {
  const reader = readConfig(configJson)
  const stored = readStoredFormat(reader)
  const modelType = reader.text('model_type', '')
  if (modelType === '') reader.reject('model_type', 'the name of a model family')
  const model = findArchitecture(modelType).model(reader, modelType, findArchitecture)
  const config = checkConfig(model.config)
  const blocks = describeBlocks(model)
  const kinds = [...new Set(blocks)]
  const sequence = sequenceNeeds([...(model.outer.embed ?? []), ...kinds.flatMap(({ steps }) => steps)])
  const outer = describeOuter(model)
  const embedding = `${model.outer.embedding}.weight`
  const headTable = `${model.outer.head}.weight`
  const head = config.tiedEmbeddings ? embedding : headTable
  const table = [config.vocabSize, config.embeddingSize]
  const vision = describeSight(model)
  const { blockName, prefix = '', aliases = {}, fileNames = {}, stacked = {}, extraBlocks = 0, ignored = [] } = model
  return {
    config: { ...config, contextLength: stretchedContext(config, sequence) },
    blocks,
    outer,
    outerParameters: [
      { name: embedding, shape: table },
      ...outer.dense,
      ...(config.tiedEmbeddings ? [] : [{ name: head, shape: table }]),
    ],
    embedding,
    head,
    headTable,
    blockName,
    parameter: (layer, name) => `${blockName(layer)}.${name}`,
    prefix,
    aliases: { ...aliases, ...vision.vision?.aliases },
    fileNames,
    stacked,
    extraBlocks,
    ignored,
    stored,
    sequence,
    ...vision,
  }
}
