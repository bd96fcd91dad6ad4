/**
 * Opens checkpoints whose matrices are `MODULE.qweight`.
 * @module
 */
import { alignCheckpoint, ignoredTensors, type ModelDescription, modelParameters } from '@awq/models'
import { AwqError, type Folder, quoted, type TensorEntry } from '@awq/tensor'
import { type JsonObject, readFolderConfig } from '../folder/config.ts'
import type { Parameter, PortableModel, QuantizedParameter, ReadOptions } from '../model.ts'
import type { Float16Scales } from '../packed/float16-scales.ts'
import { openPacked } from '../packed/open-packed.ts'
import { refuseTensor } from '../packed/tensor-checks.ts'
import { findQweights, isPart, QWEIGHT, type QweightTensors, quantizationOf } from './tensors.ts'

/** What a layout needs to read a matrix. */
export interface QweightContext {
  readonly folder: Folder
  readonly quantization: JsonObject
  readonly scales: Float16Scales
  readonly options: ReadOptions
}

/** How a format makes a parameter of the tensors of a matrix [out, in]. */
export type ReadQweight = (
  tensors: QweightTensors,
  shape: readonly [out: number, inputs: number],
  context: QweightContext,
) => Promise<QuantizedParameter>

/** An entry that stands for a matrix while names are aligned. */
interface Standing extends TensorEntry {
  readonly matrix: QweightTensors
}

/** @throws AwqError UNSUPPORTED when a bias that the model does not have is not zero */
const checkNoBias = async (entry: TensorEntry, options: ReadOptions): Promise<void> => {
  const bytes = await entry.read({ signal: options.signal })
  // The sign of a zero is its last byte's highest bit.
  if (bytes.some((byte) => (byte & 0x7f) !== 0)) {
    throw new AwqError(
      'UNSUPPORTED',
      `${entry.file}: ${quoted(entry.name)} is not zero, but its model has no such bias`,
    )
  }
}

/** More than any vector has; a bias that is larger is not read. */
const MAX_VECTOR = 2 ** 24

/**
 * Opens a folder.
 * @param adjust takes the parameters last: names and values that only this format has
 */
export const readQweights = async (
  folder: Folder,
  format: string,
  readMatrix: ReadQweight,
  options: ReadOptions = {},
  adjust: (
    parameters: Map<string, Parameter>,
    description: ModelDescription,
  ) => Promise<Map<string, Parameter>> = async (parameters) => parameters,
): Promise<PortableModel> => {
  const { config } = await readFolderConfig(folder)
  const quantization = await quantizationOf(folder)
  return openPacked({ folder, format, config }, options, async ({ description, checkpoint, scales }) => {
    const modules = findQweights(checkpoint)
    const tensors = new Map<string, TensorEntry>()
    for (const [name, entry] of checkpoint.tensors) {
      const module = name.endsWith(QWEIGHT) ? name.slice(0, -QWEIGHT.length) : undefined
      const matrix = module === undefined ? undefined : modules.get(module)
      if (matrix) {
        const standing: Standing = { ...entry, name: `${module}.weight`, matrix }
        if (checkpoint.tensors.has(standing.name)) refuseTensor(entry, `has ${quoted(standing.name)} beside it`)
        tensors.set(standing.name, standing)
      } else if (!isPart(name, modules)) tensors.set(name, entry)
    }
    const seeing = description.vision?.parameters ?? []
    const shapes = new Map([...modelParameters(description), ...seeing].map(({ name, shape }) => [name, shape]))
    const isIgnored = ignoredTensors(description)
    const parameters = new Map<string, Parameter>()
    const aligned = alignCheckpoint({ ...checkpoint, tensors }, description).tensors
    for (const [name, entry] of aligned) {
      const { matrix } = entry as Partial<Standing>
      const shape = shapes.get(name)
      if (shape === undefined) {
        if (isIgnored(name)) continue
        const weight = aligned.get(name.replace(/\.bias$/, '.weight')) as Partial<Standing> | undefined
        // AutoGPTQ wrote biases for all linears.
        if (name.endsWith('.bias') && weight?.matrix && entry.length <= MAX_VECTOR) {
          await checkNoBias(entry, options)
          continue
        }
      }
      if (!matrix) parameters.set(name, { kind: 'float', entry })
      else if (shape?.length === 2) {
        const context = { folder, quantization, scales, options }
        parameters.set(name, await readMatrix(matrix, shape as readonly [number, number], context))
      } else {
        refuseTensor(
          matrix.qweight,
          `is no matrix of a ${description.config.modelType} model as config.json describes it`,
        )
      }
    }
    return adjust(parameters, description)
  })
}

/** The matrix without zero points, which must all be the middle: what a configuration calls symmetric. */
export const withoutZeros = <M extends { readonly zeroPoints: Uint8Array | null; readonly bits: number }>(
  matrix: M,
  zeros: TensorEntry,
): M => {
  const middle = 2 ** (matrix.bits - 1)
  const wrong = matrix.zeroPoints?.find((zero) => zero !== middle)
  if (wrong === undefined) return { ...matrix, zeroPoints: null }
  return refuseTensor(
    zeros,
    `has the zero point ${wrong}, but quantization_config says that it is symmetric (${middle}); set "sym" to false there`,
  )
}
