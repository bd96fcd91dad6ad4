/**
 * What one token costs in memory traffic: the weights that its step reads.
 * @module
 */
import {
  describeModel,
  type ModelDescription,
  modelParameters,
  openFloatCheckpoint,
  type ParameterSpec,
  readModelConfig,
  sharesPerToken,
} from '@awq/models'
import { type Device, kernelsOf } from '@awq/ort'
import { MANIFEST_FILE, openStore } from '@awq/quantize'
import { elementCount, type Folder } from '@awq/tensor'
import { storeTable } from './store-table.ts'
import { checkpointTable, type WeightTable } from './weight-table.ts'

/** How weights that stay float are held. */
export interface WeightBytesOptions {
  /** Bytes of an element of a float weight as the graph reads it; 4 by default: float32 graphs convert when they load. */
  readonly floatBytes?: 2 | 4 | undefined
}

/**
 * Bytes of all weights that one token's step reads: codes, scales, zero points and dense columns of every linear and of the head,
 * norms and biases, and one row of the embedding table; of experts as many as a token has.
 * @throws AwqError as `WeightTable.find`
 */
export const stepWeightBytes = (
  description: ModelDescription,
  table: WeightTable,
  options: WeightBytesOptions = {},
): number => {
  const { floatBytes = 4 } = options
  const bytesOf = (spec: ParameterSpec): number => {
    const { name, shape, optional, transposed } = spec
    if (optional && !table.has(name)) return 0
    const found = table.find(name, shape, transposed)
    if (found.kind === 'dense') return elementCount(shape) * floatBytes
    const dense = shape[0]! * (found.denseColumns?.indices.length ?? 0) * floatBytes
    return found.codes.length + found.scales.length + (found.zeroPoints?.length ?? 0) + dense
  }
  const { embedding, config } = description
  const shares = sharesPerToken(description)
  let bytes = 0
  for (const spec of modelParameters(description)) {
    const { name } = spec
    const all = bytesOf(spec) * (shares.get(name) ?? 1)
    // A tied table is looked up in once and multiplied with as a whole.
    if (name === embedding) bytes += all / config.vocabSize + (config.tiedEmbeddings ? all : 0)
    else bytes += all
  }
  return Math.round(bytes)
}

/**
 * `stepWeightBytes` of a folder's model as it runs on a device; only headers are read.
 * @throws AwqError as `openModel`
 */
export const weightBytesPerToken = async (
  folder: Folder,
  options: { readonly device?: Device | undefined } = {},
): Promise<number> => {
  const floatBytes = kernelsOf(options.device ?? 'cpu').activations === 'float16' ? 2 : 4
  const description = describeModel((await readModelConfig(folder)).json)
  if (await folder.has(MANIFEST_FILE)) {
    await using store = await openStore(folder)
    return stepWeightBytes(description, storeTable(folder.name, store), { floatBytes })
  }
  await using checkpoint = await openFloatCheckpoint(folder, description)
  return stepWeightBytes(description, checkpointTable(folder.name, checkpoint), { floatBytes })
}
