/**
 * Reads checkpoints of GPTQ: AutoGPTQ, gptqmodel, optimum, both versions, with activation order.
 * @module
 */
import type { QuantSpec } from '@awq/quantize'
import { AwqError, type Folder, groupCount, transposed } from '@awq/tensor'
import { isObject, type JsonObject, readFolderConfig, statedInteger } from '../folder/config.ts'
import type { PortableModel, QuantizedParameter, ReadOptions } from '../model.ts'
import { moveColumns, orderOfGroups } from '../packed/group-index.ts'
import { wordsOf } from '../packed/lines.ts'
import { heldGroupSize, regroup } from '../packed/regroup.ts'
import { expectTensor, refuseTensor, tensorText, words32 } from '../packed/tensor-checks.ts'
import { foldOrders } from './fold-orders.ts'
import { type GptqShape, type GptqVersion, gptqShapes, unpackGptqCodes, unpackGptqZeros } from './gptq-layout.ts'
import { type QweightContext, readQweights, withoutZeros } from './read.ts'
import { type QweightTensors, quantizationOf } from './tensors.ts'

/** What a configuration says of all matrices; single ones may differ, and their shapes tell how. */
interface GptqConfig {
  readonly version: GptqVersion
  readonly symmetric: boolean
  readonly ordered: boolean
  /** Bits and group sizes that are stated, the usual ones first; empty where none are. */
  readonly bits: readonly number[]
  readonly groupSizes: readonly number[]
}

const HELD_BITS: readonly number[] = [2, 3, 4, 8]

/** @throws AwqError UNSUPPORTED for layouts other than versions 1 and 2, and words of other widths than 32 bits */
const readConfig = (quantization: JsonObject, folder: string): GptqConfig => {
  const where = `${folder}: quantization_config`
  const refuse = (problem: string): never => {
    throw new AwqError('UNSUPPORTED', `${where}.${problem}`)
  }
  const { checkpoint_format, format, is_marlin_format, pack_dtype, dynamic, sym, desc_act } = quantization
  const stated = checkpoint_format ?? format ?? (quantization.quant_method === 'awq' ? undefined : 'gptq')
  if (stated === undefined || Object.keys(quantization).length === 0) {
    throw new AwqError(
      'CONFIG',
      `${folder}: its matrices are GPTQ's, but nothing says of which version; add to config.json "quantization_config": ` +
        '{"quant_method": "gptq", "checkpoint_format": "gptq"}, or "gptq_v2"',
    )
  }
  if ((stated !== 'gptq' && stated !== 'gptq_v2') || is_marlin_format === true) {
    refuse(
      `checkpoint_format is ${JSON.stringify(is_marlin_format === true ? 'marlin' : stated)}; gptq and gptq_v2 are read`,
    )
  }
  if (pack_dtype !== undefined && pack_dtype !== null && pack_dtype !== 'int32') {
    refuse(`pack_dtype is ${JSON.stringify(pack_dtype)}; int32 is read`)
  }
  const rules = isObject(dynamic) ? Object.values(dynamic) : []
  const exceptions = rules.filter(isObject)
  const integers = (key: string): number[] =>
    [quantization, ...exceptions].flatMap((one) => statedInteger(one, key, where) ?? [])
  return {
    version: stated === 'gptq_v2' ? 2 : 1,
    symmetric: sym === true && !exceptions.some((rule) => rule.sym === false),
    ordered: desc_act === true,
    bits: integers('bits'),
    groupSizes: integers('group_size'),
  }
}

/** Bits and group size that the tensors' shapes tell. */
const shapeOf = (
  { qweight, zeros, scales }: QweightTensors,
  shape: readonly [out: number, inputs: number],
  config: GptqConfig,
): GptqShape => {
  const [out, width] = shape
  const bits = (config.bits.length > 0 ? config.bits : HELD_BITS).find(
    (candidate) => wordsOf(width, candidate) === qweight.shape[0] && wordsOf(out, candidate) === zeros.shape[1],
  )
  const bitsText = config.bits.length > 0 ? `${config.bits.join(' or ')} (quantization_config)` : '2, 3, 4 or 8'
  const text = `${tensorText(qweight)} with zero points ${tensorText(zeros)}`
  if (bits === undefined || qweight.shape[1] !== out) {
    return refuseTensor(qweight, `is ${text}, which is no matrix [${shape.join(', ')}] of ${bitsText} bits`)
  }
  if (!HELD_BITS.includes(bits)) {
    throw new AwqError('UNSUPPORTED', `${qweight.file}: ${qweight.name} has ${bits} bits; 2, 3, 4 and 8 are read`)
  }
  const groups = scales.shape[0]!
  const stated = config.groupSizes.map((size) => (size < 1 ? width : size))
  const sizes = stated.length > 0 ? stated : [width / groups]
  const groupSize = sizes.find((size) => Number.isInteger(size) && Math.ceil(width / size) === groups)
  if (groupSize === undefined) {
    return refuseTensor(
      scales,
      `has ${groups} groups for ${width} inputs; group_size is ${config.groupSizes.join(', ')}`,
    )
  }
  return { bits: bits as GptqShape['bits'], groupSize: Math.min(groupSize, width), shape }
}

/** A matrix with the order of its inputs. */
export interface OrderedParameter extends QuantizedParameter {
  readonly order: Int32Array | undefined
}

const readOrder = async (
  { qweight, groups }: QweightTensors,
  { groupSize, shape: [, width] }: GptqShape,
  config: GptqConfig,
  { signal }: ReadOptions,
): Promise<Int32Array | undefined> => {
  if (groupSize >= width) return undefined
  if (groups === undefined) {
    if (!config.ordered) return undefined
    return refuseTensor(qweight, 'has no .g_idx beside it, but quantization_config says desc_act')
  }
  expectTensor(groups, ['I32'], [width])
  const index = new Int32Array(words32(await groups.read({ signal })).buffer)
  return orderOfGroups(index, groupSize, `${groups.file}: ${groups.name}`)
}

const readMatrix = async (
  tensors: QweightTensors,
  size: readonly [out: number, inputs: number],
  config: GptqConfig,
  { scales: given, options }: QweightContext,
): Promise<OrderedParameter> => {
  const { qweight, zeros, scales } = tensors
  const shape = shapeOf(tensors, size, config)
  const expected = gptqShapes(shape)
  expectTensor(qweight, ['I32'], expected.qweight)
  expectTensor(zeros, ['I32'], expected.qzeros)
  expectTensor(scales, ['F16', 'BF16', 'F32'], expected.scales)
  const held = heldGroupSize(shape.groupSize, size[1])
  if (held === null) {
    throw new AwqError(
      'UNSUPPORTED',
      `${qweight.file}: ${qweight.name} has groups of ${shape.groupSize}; multiples of 16 are read`,
    )
  }
  const order = await readOrder(tensors, shape, config, options)
  const { symmetric } = config
  const spec: QuantSpec = { bits: shape.bits, groupSize: held, symmetric }
  return {
    kind: 'quantized',
    spec,
    shape: size,
    denseColumns: 0,
    inputOrder: order !== undefined,
    order,
    async read(signal = {}) {
      const codes = unpackGptqCodes(words32(await qweight.read(signal)), shape)
      const steps = given.convert(await scales.read(signal), scales.dtype, scales.name)
      const matrix = {
        ...shape,
        codes: order ? moveColumns(codes, size[1], order) : codes,
        scales: transposed(steps, groupCount(shape), size[0]),
        zeroPoints: unpackGptqZeros(words32(await zeros.read(signal)), shape, config.version),
        ...(order ? { inputOrder: order } : {}),
      }
      return regroup(symmetric ? withoutZeros(matrix, zeros) : matrix, held)
    },
  }
}

/** Opens a folder of GPTQ. */
export const readGptq = async (folder: Folder, options: ReadOptions = {}): Promise<PortableModel> => {
  await readFolderConfig(folder)
  const config = readConfig(await quantizationOf(folder), folder.name)
  return await readQweights(
    folder,
    'gptq',
    (tensors, shape, context) => readMatrix(tensors, shape, config, context),
    options,
    async (parameters, description) => foldOrders(parameters, description),
  )
}
