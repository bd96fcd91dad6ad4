/**
 * The float weights of a checkpoint: read block by block, and bound to graphs as inputs, so that one session serves
 * every block and no more than one block's weights are in memory.
 * @module
 */
import type { Graph, Value } from '@awq/onnx'
import { type Tensor, tensor } from '@awq/ort'
import { AwqError, type Checkpoint, type DType, readFloat32, type TensorEntry } from '@awq/tensor'
import type { BlockBinding } from './binding.ts'
import { type ModelDescription, modelParameters, type ParameterSpec } from './describe.ts'

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
  if (!sameShape(entry.shape, spec.shape))
    throw new AwqError(
      'CONFIG',
      `${entry.file}: tensor ${spec.name} has shape [${entry.shape.join(', ')}], but config.json asks for ` +
        `[${spec.shape.join(', ')}]`,
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

/**
 * Checks that every parameter is there with the right shape, and that no block has a tensor the description does not
 * use (a bias that config.json does not mention, a norm of another family), before anything is read.
 * @throws AwqError as `findParameter`; `UNSUPPORTED` for a tensor that would be ignored
 */
export const checkParameters = (checkpoint: Checkpoint, description: ModelDescription): void => {
  const known = new Set<string>()
  for (const spec of modelParameters(description)) {
    findParameter(checkpoint, spec)
    known.add(spec.name)
  }
  const blocks = description.architecture.names.block(0).replace(/0$/, '')
  for (const [name, { file }] of checkpoint.tensors) {
    // Old checkpoints keep the rotary frequencies, which follow from config.json.
    if (!name.startsWith(blocks) || known.has(name) || name.endsWith('.rotary_emb.inv_freq')) continue
    throw new AwqError(
      'UNSUPPORTED',
      `${file}: tensor ${name} is not used by a ${description.config.modelType} model as its config.json describes it ` +
        `(${description.config.layers} blocks); leaving it out would give wrong output`,
    )
  }
}

/** @throws AwqError `NUMERIC` naming the parameter and the place of a value that is NaN or infinite */
const checkFinite = (values: Float32Array, { name, shape }: ParameterSpec): void => {
  // x - x is 0 for every finite x and NaN for NaN and both infinities: one sum finds them all without a branch.
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]! - values[i]!
  if (sum === 0) return
  const at = values.findIndex((value) => !Number.isFinite(value))
  const columns = shape.at(-1)!
  const place = shape.length > 1 ? `row ${Math.floor(at / columns)}, column ${at % columns}` : `element ${at}`
  throw new AwqError('NUMERIC', `${name}: ${place} is ${values[at]}; the checkpoint is damaged, or overflowed its type`)
}

/**
 * Reads the parameters of one block.
 * @throws AwqError as `findParameter`; `NUMERIC` naming the parameter that holds NaN or an infinity
 */
export const readBlockWeights = async (
  checkpoint: Checkpoint,
  description: ModelDescription,
  layer: number,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<BlockWeights> => {
  const weights: BlockWeights = new Map()
  for (const { name, shape } of description.blockParameters) {
    const spec = { name: description.parameter(layer, name), shape }
    const values = await readFloat32(findParameter(checkpoint, spec), options)
    checkFinite(values, spec)
    weights.set(name, values)
  }
  return weights
}

/** Block weights as feeds of a graph that `inputBinding` was used for. */
export const blockFeeds = (description: ModelDescription, weights: BlockWeights): Record<string, Tensor> =>
  Object.fromEntries(
    description.blockParameters.map(({ name, shape }) => [name, tensor('float32', shape, weights.get(name)!)]),
  )

/** `x W^T + b`, `W [out, in]`. */
export const emitLinear = (graph: Graph, x: Value, weight: Value, bias: Value | undefined): Value => {
  const product = graph.add('MatMul', [x, graph.add('Transpose', [weight], { perm: [1, 0] })])
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
})
