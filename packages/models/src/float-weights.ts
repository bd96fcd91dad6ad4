/**
 * The float weights of a checkpoint: read block by block, and bound to graphs as inputs, so that one session serves
 * every block of a kind and no more than one block's weights are in memory.
 * @module
 */
import type { Dim, Graph, Value } from '@awq/onnx'
import { type Tensor, tensor } from '@awq/ort'
import {
  AwqError,
  type Checkpoint,
  checkFinite,
  type DType,
  elementCount,
  readFloat32,
  type TensorEntry,
  transposed,
} from '@awq/tensor'
import type { BlockBinding, OuterBinding } from './binding.ts'
import { type ModelDescription, modelParameters } from './describe.ts'
import type { BlockDescription } from './describe-block.ts'
import { type ParameterSpec, stepParameters, storedShape } from './steps.ts'

/** Parameters by base name with suffix (`mlp.up_proj.weight`), float32, row-major. */
export type BlockWeights = Map<string, Float32Array>

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((dim, i) => dim === b[i])

/** Float types: integers in a checkpoint are the codes of some quantization. */
const FLOATS: ReadonlySet<DType> = new Set<DType>(['F64', 'F32', 'F16', 'BF16', 'F8_E4M3', 'F8_E5M2'])

/**
 * The entry of a parameter, its shape checked against the description.
 * @throws AwqError `NOT_FOUND` when the checkpoint lacks it, `CONFIG` when its shape disagrees with config.json,
 * `UNSUPPORTED` when it is no float tensor or has scales beside it
 */
export const findParameter = (checkpoint: Checkpoint, spec: ParameterSpec): TensorEntry => {
  const entry = checkpoint.tensors.get(spec.name)
  if (!entry)
    throw new AwqError(
      'NOT_FOUND',
      `the checkpoint has no tensor ${spec.name}, which its config.json asks for; is it complete?`,
    )
  const shape = storedShape(spec)
  if (!sameShape(entry.shape, shape))
    throw new AwqError(
      'CONFIG',
      `${entry.file}: tensor ${spec.name} has shape [${entry.shape.join(', ')}], but config.json asks for ` +
        `[${shape.join(', ')}]`,
    )
  const scale = ['_scale', '_scale_inv'].find((suffix) => checkpoint.tensors.has(spec.name + suffix))
  if (!FLOATS.has(entry.dtype) || scale)
    throw new AwqError(
      'UNSUPPORTED',
      `${entry.file}: tensor ${spec.name} is quantized (${entry.dtype}${scale ? ` with ${spec.name}${scale}` : ''}); ` +
        'use the float checkpoint instead',
    )
  return entry
}

/** True for a parameter that the checkpoint need not have, and has not. */
export const isAbsent = (checkpoint: Checkpoint, { name, optional }: ParameterSpec): boolean =>
  optional === true && !checkpoint.tensors.has(name)

/** Tells tensors of checkpoints that mean nothing for what is computed, by their names. */
export const ignoredTensors = (
  description: Pick<ModelDescription, 'config' | 'extraBlocks' | 'blockName' | 'ignored' | 'vision'>,
): ((name: string) => boolean) => {
  const seeing = new Set((description.vision?.parameters ?? []).map(({ name }) => name))
  // Towers have blocks behind those that features are taken from.
  const towers = new Set(
    [...seeing].flatMap((name) => (name.includes('.') ? [name.slice(0, name.indexOf('.') + 1)] : [])),
  )
  const isSpare = (name: string): boolean => !seeing.has(name) && towers.has(name.slice(0, name.indexOf('.') + 1))
  const { layers } = description.config
  const extra = Array.from({ length: description.extraBlocks }, (_, i) => `${description.blockName(layers + i)}.`)
  // Old checkpoints keep the rotary frequencies, which follow from config.json.
  const ends = ['.rotary_emb.inv_freq', ...description.ignored]
  return (name) =>
    ends.some((end) => name.endsWith(end)) || extra.some((block) => name.startsWith(block)) || isSpare(name)
}

/**
 * Checks that every parameter is there with the right shape, and that no block has a tensor the description does not
 * use (a bias that config.json does not mention, a norm of another family), before anything is read.
 * @throws AwqError as `findParameter`; `UNSUPPORTED` for a tensor that would be ignored
 */
export const checkParameters = (checkpoint: Checkpoint, description: ModelDescription): void => {
  const known = new Set<string>()
  for (const spec of modelParameters(description)) {
    if (!isAbsent(checkpoint, spec)) findParameter(checkpoint, spec)
    known.add(spec.name)
  }
  const blocks = description.blockName(0).replace(/0$/, '')
  const isIgnored = ignoredTensors(description)
  for (const [name, { file }] of checkpoint.tensors) {
    if (!name.startsWith(blocks) || known.has(name) || isIgnored(name)) continue
    throw new AwqError(
      'UNSUPPORTED',
      `${file}: tensor ${name} is not used by a ${description.config.modelType} model as its config.json describes it ` +
        `(${description.config.layers} blocks); leaving it out would give wrong output`,
    )
  }
}

/**
 * Reads a parameter as graphs want it.
 * @throws AwqError as `findParameter`; `NUMERIC` naming the parameter that holds NaN or an infinity
 */
export const readParameter = async (
  checkpoint: Checkpoint,
  spec: ParameterSpec,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Float32Array> => {
  const { shape } = spec
  if (isAbsent(checkpoint, spec)) return new Float32Array(elementCount(shape)).fill(1)
  const values = await readFloat32(findParameter(checkpoint, spec), options)
  checkFinite(spec.name, storedShape(spec), values)
  return spec.transposed ? transposed(values, shape[1]!, shape[0]!) : values
}

/**
 * Reads the parameters of one block.
 * @throws AwqError as `readParameter`
 */
export const readBlockWeights = async (
  checkpoint: Checkpoint,
  description: ModelDescription,
  layer: number,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<BlockWeights> => {
  const weights: BlockWeights = new Map()
  for (const spec of description.blocks[layer]!.parameters) {
    const named = { ...spec, name: description.parameter(layer, spec.name) }
    weights.set(spec.name, await readParameter(checkpoint, named, options))
  }
  return weights
}

/** Block weights as feeds of a graph that `inputBinding` was used for. */
export const blockFeeds = (
  { parameters }: Pick<BlockDescription, 'parameters'>,
  weights: BlockWeights,
): Record<string, Tensor> =>
  Object.fromEntries(parameters.map(({ name, shape }) => [name, tensor('float32', shape, weights.get(name)!)]))

/** `x W^T + b`, `W [out, in]`; or `x W + b`, `W [in, out]`, when the weight given is transposed. */
export const emitLinear = (
  graph: Graph,
  x: Value,
  weight: Value,
  bias: Value | undefined,
  transposed = false,
): Value => {
  const product = graph.add('MatMul', [x, transposed ? weight : graph.add('Transpose', [weight], { perm: [1, 0] })])
  return bias ? graph.add('Add', [product, bias]) : product
}

/** A binding whose parameters are float32 graph inputs, named by their base names. */
export const inputBinding = (): BlockBinding => ({
  linears: (graph, x, linears) =>
    linears.map(({ name, shape, bias }) =>
      emitLinear(
        graph,
        x,
        graph.input(`${name}.weight`, 'float32', shape),
        bias ? graph.input(`${name}.bias`, 'float32', [shape[0]]) : undefined,
      ),
    ),
  vector: (graph, name, length) => graph.input(name, 'float32', [length]),
  matrix: (graph, name, shape) => graph.input(name, 'float32', shape),
  optionalVector: (graph, name, length) => graph.input(name, 'float32', [length]),
})

/**
 * Binds the head and the parameters of the steps outside of the blocks as float32 inputs. Rows of the embedding table are
 * read outside of graphs.
 * @param rows rows of the head that a graph is given, when not all
 */
export const outerInputs = ({ config, outer }: ModelDescription, rows: Dim = config.vocabSize): OuterBinding => ({
  ...inputBinding(),
  embed: () => {
    throw new AwqError('UNSUPPORTED', 'a float model embeds its tokens outside the graph: use ForwardModel.embed')
  },
  head: (graph, hidden) => {
    const weight = graph.input('head.weight', 'float32', [rows, config.embeddingSize])
    const bias = outer.headBias && graph.input(outer.headBias, 'float32', [rows])
    return emitLinear(graph, hidden, weight, bias || undefined)
  },
})

/**
 * Feeds of the steps around the blocks, by the names that `outerInputs` gives them.
 * @param embed those in front of the first block, rather than those behind the last one and the head's bias
 */
export const outerFeeds = async (
  checkpoint: Checkpoint,
  { outer }: ModelDescription,
  embed = false,
): Promise<Record<string, Tensor>> => {
  const first = new Set(outer.embed.steps.flatMap(stepParameters).map(({ name }) => name))
  const feeds: Record<string, Tensor> = {}
  for (const spec of outer.dense)
    if (first.has(spec.name) === embed)
      feeds[spec.name] = tensor('float32', spec.shape, await readParameter(checkpoint, spec))
  return feeds
}
