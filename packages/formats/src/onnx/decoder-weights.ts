/**
 * The parameters of a model as files of external data, and where graphs find them there.
 * @module
 */
import { layoutOf } from '@awq/onnx'
import type { StorePlan } from '@awq/quantize'
import { partName } from '@awq/quantize'
import { type PackedMatrix, type WeightTable, weightTable } from '@awq/runtime'
import type { FileRange, TensorEntry } from '@awq/tensor'
import { entriesOf, writeParameter } from '../awq-format.ts'
import { type DescribedParameter, languageParameters } from '../check-model.ts'
import { openPlannedFiles } from '../folder/tensor-files.ts'
import type { FolderWriter } from '../folder/writer.ts'
import type { WriteOptions } from '../format.ts'
import { siteNames } from '../matrix-names.ts'
import type { PortableModel, QuantizedParameter } from '../model.ts'
import { planChunks } from './chunks.ts'

/** Weights that have their places. */
export interface DecoderWeights {
  readonly parameters: readonly DescribedParameter[]
  readonly plan: StorePlan
  readonly table: WeightTable
}

const packedMatrix = async (
  name: string,
  parameter: QuantizedParameter,
  plan: StorePlan,
  { signal }: WriteOptions,
): Promise<PackedMatrix> => {
  const { shape, spec, denseColumns } = parameter
  const { storedBits, blockSize, blocks, zeroPointsShape } = layoutOf({ ...spec, shape })
  const part = (kind: Parameters<typeof partName>[1]): FileRange => plan.tensors.get(partName(name, kind))!
  const read = denseColumns > 0 || parameter.inputOrder ? await parameter.read({ signal }) : undefined
  const { indices } = read?.denseColumns ?? {}
  return {
    kind: 'packed',
    ...{ shape, storedBits, blockSize, blocks },
    codes: part('codes'),
    scales: part('scales'),
    zeroPoints: zeroPointsShape && part('zeroPoints'),
    denseColumns: indices ? { indices, values: part('denseValues') } : null,
    inputOrder: read?.inputOrder ?? null,
  }
}

/** Gives parameters, by default those of the language model, their places in `file`, `file_1` ... of at most `maxFileBytes`. */
export const planWeights = async (
  model: PortableModel,
  file: string,
  maxFileBytes: number,
  options: WriteOptions,
  parameters: readonly DescribedParameter[] = languageParameters(model),
): Promise<DecoderWeights> => {
  const sites = siteNames(model.description)
  const plan = planChunks(
    parameters.flatMap((parameter) => entriesOf(parameter, sites)),
    file,
    maxFileBytes,
  )
  const packed = new Map<string, PackedMatrix>()
  const dense = new Map<string, TensorEntry>()
  for (const { spec, parameter } of parameters) {
    const { name } = spec
    if (parameter.kind === 'quantized') packed.set(name, await packedMatrix(name, parameter, plan, options))
    else dense.set(name, { ...plan.tensors.get(name)!, read: (request) => parameter.entry.read(request) })
  }
  return { parameters, plan, table: weightTable(model.name, packed, dense) }
}

/** Writes all parameters; `directory` is put in front of the files' names. */
export const writeWeights = async (
  { parameters, plan }: DecoderWeights,
  into: FolderWriter,
  directory: string,
  options: WriteOptions,
): Promise<void> => {
  const writer = await openPlannedFiles(into, plan, directory)
  for (const [index, { spec, parameter }] of parameters.entries()) {
    options.signal?.throwIfAborted()
    await writeParameter(spec.name, parameter, writer, options)
    options.onProgress?.({ name: spec.name, completed: index + 1, total: parameters.length })
  }
  await writer.finish()
}
