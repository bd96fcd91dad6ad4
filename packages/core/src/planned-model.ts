/**
 * A quantized model before it is made: which formats can hold it, and what its card says, follow from its forms.
 * @module
 */
import { folderCompanions, type Parameter, type PortableModel } from '@awq/formats'
import { describeModel, modelParameters } from '@awq/models'
import type { Provenance, QuantSpec } from '@awq/quantize'
import { AwqError, byteLength, type DType, elementCount, fromFloat32, readFloat32, type TensorEntry } from '@awq/tensor'
import { type BitsPlan, specsOfLayer } from './plan.ts'
import { salientCount } from './salient.ts'
import type { SourceModel } from './source-model.ts'
import { denseType, EIGHT_BITS, type TablePlan } from './tables.ts'
import type { VisionTensor } from './vision-tensors.ts'

/** What decides the forms of a model. */
export interface PlannedParts {
  readonly model: SourceModel
  readonly plan: BitsPlan
  readonly tables: readonly TablePlan[]
  readonly vision: readonly VisionTensor[]
  /** Share of each linear's input channels that stay float16. */
  readonly salient: number
  /** Whether scales are put where nothing can absorb them: as vectors that the source does not have. */
  readonly scaleVectors: boolean
}

/**
 * The config.json of the quantized model, parsed; a tied head that is stored on its own is no longer tied, and what the
 * source's weights were stored in says nothing of these. Null when it is the source's own.
 */
export const quantizedConfig = (
  { configText, description }: SourceModel,
  tables: readonly TablePlan[],
): Record<string, unknown> | null => {
  const apart = description.config.tiedEmbeddings && tables.length > 1
  if (!apart && description.stored.kind === 'plain') return null
  const { quantization_config: _, ...config } = JSON.parse(configText)
  return { ...config, ...(apart ? { tie_word_embeddings: false } : {}) }
}

/** What reading a matrix of a planned model throws. */
export const NOT_QUANTIZED_YET = new AwqError('INVALID_ARGUMENT', 'the model is not quantized yet')

const unmade = async (): Promise<never> => {
  throw NOT_QUANTIZED_YET
}

const quantized = (spec: QuantSpec, shape: readonly number[], denseColumns = 0): Parameter => ({
  kind: 'quantized',
  spec,
  shape: [shape[0]!, shape[1]!],
  denseColumns,
  inputOrder: false,
  read: unmade,
})

/** A tensor that stays float, in the type that the store keeps it in. */
const stored = (entry: TensorEntry, name: string, dtype: DType): Parameter => ({
  kind: 'float',
  entry: {
    ...{ name, dtype, shape: entry.shape, file: 'not written yet', offset: 0 },
    length: byteLength(dtype, entry.shape),
    read: async (options) => fromFloat32(await readFloat32(entry, options), dtype),
  },
})

/** A vector of scales that are not 1, as a scale pass may leave it. */
const scaleVector = (name: string, shape: readonly number[]): TensorEntry => ({
  ...{ name, dtype: 'F32', shape, file: 'not written yet', offset: 0, length: elementCount(shape) * 4 },
  read: async () => fromFloat32(new Float32Array(elementCount(shape)).fill(2), 'F32'),
})

/** The model that a quantization will make. Its matrices cannot be read. */
export const plannedModel = async (parts: PlannedParts, provenance: Provenance): Promise<PortableModel> => {
  const { model, plan, tables, vision, salient, scaleVectors } = parts
  const { description, checkpoint, folder } = model
  const config = quantizedConfig(model, tables) ?? (JSON.parse(model.configText) as Record<string, unknown>)
  const parameters = new Map<string, Parameter>()
  for (const table of tables) {
    const { name, source, spec } = table
    parameters.set(name, spec ? quantized(spec, source.shape) : stored(source, name, denseType(source.dtype)))
  }
  const linears = new Map<string, Parameter>()
  for (const [layer, block] of description.blocks.entries()) {
    const specs = specsOfLayer(description, plan, layer)
    for (const { name, shape } of block.linears)
      linears.set(
        description.parameter(layer, `${name}.weight`),
        quantized(specs.get(name)!, shape, salientCount(salient, shape[1])),
      )
  }
  for (const { name, shape, optional } of modelParameters(description)) {
    if (parameters.has(name)) continue
    const linear = linears.get(name)
    const entry = checkpoint.tensors.get(name)
    if (linear) parameters.set(name, linear)
    else if (entry) parameters.set(name, stored(entry, name, 'F32'))
    else if (optional && scaleVectors) parameters.set(name, { kind: 'float', entry: scaleVector(name, shape) })
  }
  for (const { source, linear, dtype } of vision)
    parameters.set(source.name, linear ? quantized(EIGHT_BITS, linear.shape) : stored(source, source.name, dtype))
  return {
    name: folder.name,
    format: 'awq',
    config,
    description: describeModel(config),
    parameters,
    companions: await folderCompanions(folder),
    provenance,
    async [Symbol.asyncDispose]() {},
  }
}
