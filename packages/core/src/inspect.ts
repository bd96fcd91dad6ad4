/**
 * What a model folder holds, without reading its weights.
 * @module
 */
import { describeModel, type ModelConfig, parameterCount, readModelConfig } from '@awq/models'
import { MANIFEST_FILE, type Manifest, openStore } from '@awq/quantize'
import { type Folder, openCheckpoint } from '@awq/tensor'
import { type ModelReferenceOptions, openFolderOf } from './source-model.ts'

/** A tensor as it is stored. */
export interface InspectedTensor {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly number[]
  readonly bytes: number
  /** Bits of its codes, for matrices that are quantized. */
  readonly bits?: number
  readonly groupSize?: number
}

/** A scale group of one block. */
export interface InspectedScaleGroup {
  readonly name: string
  readonly kind: string
  readonly producer: string
  readonly consumers: readonly string[]
}

/** A model folder. */
export interface Inspection {
  readonly kind: 'float' | 'quantized'
  /** `model_type` of config.json. */
  readonly architecture: string
  readonly config: ModelConfig
  /** Parameters that the architecture asks for; a tied table counts once. */
  readonly parameters: number
  /** Bytes of all tensors. */
  readonly bytes: number
  readonly tensors: readonly InspectedTensor[]
  readonly scaleGroups: readonly InspectedScaleGroup[]
  readonly manifest?: Manifest
}

/**
 * Inspects a model.
 * @throws AwqError as `openSource`; INVALID_FILE for a store whose tensors and manifest disagree
 */
export const inspect = async (model: Folder | string, options: ModelReferenceOptions = {}): Promise<Inspection> => {
  const folder = await openFolderOf(model, options)
  const description = describeModel((await readModelConfig(folder)).json)
  const { config } = description
  const parameters = parameterCount(description)
  const scaleGroups = description.blocks.flatMap((block, layer) =>
    block.scaleGroups.map(({ kind, producer, consumers }) => ({
      name: `${description.blockName(layer)}: ${producer}`,
      kind,
      producer: description.parameter(layer, producer),
      consumers: consumers.map((consumer) => description.parameter(layer, consumer)),
    })),
  )
  const summary = { architecture: config.modelType, config, parameters, scaleGroups }
  const quantized = await folder.has(MANIFEST_FILE)
  await using checkpoint = await openCheckpoint(folder)
  const store = quantized ? await openStore(folder) : undefined
  await store?.close()
  const matrixOf = new Map([...(store?.matrices.values() ?? [])].map((matrix) => [matrix.codes.name, matrix]))
  const tensors = [...checkpoint.tensors.values()].map(({ name, dtype, shape, length }): InspectedTensor => {
    const matrix = matrixOf.get(name)
    return {
      name,
      dtype,
      shape,
      bytes: length,
      ...(matrix ? { bits: matrix.bits, groupSize: matrix.groupSize } : {}),
    }
  })
  return {
    kind: quantized ? 'quantized' : 'float',
    ...summary,
    bytes: tensors.reduce((sum, tensor) => sum + tensor.bytes, 0),
    tensors,
    ...(store ? { manifest: store.manifest } : {}),
  }
}
