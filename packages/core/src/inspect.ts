/**
 * What a model folder holds, and whether its files are those that were written.
 * @module
 */
import {
  damageText,
  openPortable,
  parameterBytes,
  recogniseFormat,
  specText,
  type Verification,
  verifyFiles,
} from '@awq/formats'
import {
  alignCheckpoint,
  describeModel,
  type ModelConfig,
  type ModelDescription,
  parameterCount,
  readModelConfig,
} from '@awq/models'
import { MANIFEST_FILE, type Manifest, openStore, type Provenance } from '@awq/quantize'
import { AwqError, type Folder, messageOf, openCheckpoint } from '@awq/tensor'
import { type ModelReferenceOptions, OWN_FORMATS, openFolderOf } from './source-model.ts'

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
  /** Name of the format that the folder is in: `awq` and `float` are those that run. */
  readonly format: string
  /** `model_type` of config.json. */
  readonly architecture: string
  readonly config: ModelConfig
  /** Parameters that the architecture asks for; a tied table counts once. */
  readonly parameters: number
  /** Bytes of all tensors. */
  readonly bytes: number
  readonly tensors: readonly InspectedTensor[]
  readonly scaleGroups: readonly InspectedScaleGroup[]
  /** Of our own store. */
  readonly manifest?: Manifest
  /** What is known of how a model in another format came about. */
  readonly provenance?: Provenance
  /** Files whose hashes were compared; absent where none are written down. */
  readonly files?: Verification
}

/** Options of `inspect`. */
export interface InspectOptions extends ModelReferenceOptions {
  /** Read all files and compare them with the hashes that the model's manifest has; default true. */
  readonly verify?: boolean | undefined
}

/**
 * Inspects a model of any format that is read.
 * @throws AwqError as `openSource`; INVALID_FILE for a store whose tensors and manifest disagree, and for a model that can
 *   not be opened because files of it are damaged
 */
export const inspect = async (model: Folder | string, options: InspectOptions = {}): Promise<Inspection> => {
  const folder = await openFolderOf(model, options)
  const { signal, onProgress } = options
  const files =
    options.verify === false
      ? undefined
      : await verifyFiles(folder, {
          signal,
          onProgress: ({ file, completed, total }) =>
            onProgress?.({ type: 'progress', stage: 'verify', completed, total, message: file }),
        })
  try {
    const inspected = await inspectFolder(folder, options)
    return { ...inspected, ...(files ? { files } : {}) }
  } catch (cause) {
    if (!files || files.damaged.length === 0) throw cause
    throw new AwqError('INVALID_FILE', `${damageText(folder, files.damaged)} (${messageOf(cause)})`, { cause })
  }
}

const inspectFolder = async (folder: Folder, options: ModelReferenceOptions): Promise<Inspection> => {
  const format = await recogniseFormat(folder)
  if (format && !OWN_FORMATS.includes(format.name)) return await inspectForeign(folder, options)
  const description = describeModel((await readModelConfig(folder)).json)
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
  const names = [...alignCheckpoint(checkpoint, description).tensors.keys(), ...(store?.matrices.keys() ?? [])]
  return {
    kind: quantized ? 'quantized' : 'float',
    format: quantized ? 'awq' : 'float',
    ...summaryOf(description, tensors, seesWith(description, names)),
    ...(store ? { manifest: store.manifest } : {}),
  }
}

const inspectForeign = async (folder: Folder, { signal, onProgress }: ModelReferenceOptions): Promise<Inspection> => {
  const onWarning = (message: string) => onProgress?.({ type: 'warning', message })
  await using model = await openPortable(folder, { signal, onWarning })
  const tensors = [...model.parameters].map(([name, parameter]): InspectedTensor => {
    const bytes = parameterBytes(parameter)
    if (parameter.kind === 'float') {
      const { dtype, shape } = parameter.entry
      return { name, dtype, shape, bytes }
    }
    const { shape, spec } = parameter
    return { name, dtype: specText(spec), shape, bytes, bits: spec.bits, groupSize: spec.groupSize }
  })
  return {
    kind: tensors.some(({ bits }) => bits !== undefined) ? 'quantized' : 'float',
    format: model.format,
    ...summaryOf(model.description, tensors, seesWith(model.description, model.parameters.keys())),
    provenance: model.provenance,
  }
}

/** Whether parameters are those of tower and projector too. */
const seesWith = ({ vision }: ModelDescription, names: Iterable<string>): boolean => {
  const known = new Set(names)
  return vision?.parameters.every(({ name }) => known.has(name)) ?? false
}

const summaryOf = (description: ModelDescription, tensors: readonly InspectedTensor[], vision: boolean) => ({
  architecture: description.config.modelType,
  config: description.config,
  parameters: parameterCount(description, { vision }),
  bytes: tensors.reduce((sum, tensor) => sum + tensor.bytes, 0),
  tensors,
  scaleGroups: description.blocks.flatMap((block, layer) =>
    block.scaleGroups.map(({ kind, producer, consumers }) => ({
      name: `${description.blockName(layer)}: ${producer}`,
      kind,
      producer: description.parameter(layer, producer),
      consumers: consumers.map((consumer) => description.parameter(layer, consumer)),
    })),
  ),
})
