/**
 * Reads checkpoints of AutoAWQ (GEMM, GEMV, GEMV_FAST) and of llm-awq's version 2.
 * @module
 */
import { AwqError, type Folder, groupCount, messageOf } from '@awq/tensor'
import { statedInteger } from '../folder/config.ts'
import type { PortableModel, QuantizedParameter, ReadOptions } from '../model.ts'
import { heldGroupSize, regroup } from '../packed/regroup.ts'
import { expectTensor, refuseTensor, tensorText, words16, words32 } from '../packed/tensor-checks.ts'
import {
  type AutoAwqLayout,
  autoAwqProblem,
  autoAwqShapes,
  float16Products,
  paddedGroups,
  unpackAutoAwq,
} from './autoawq-layout.ts'
import { type QweightContext, readQweights } from './read.ts'
import { scalesOfActivations } from './scaled-activations.ts'
import { layoutOfTensors, type QweightTensors } from './tensors.ts'

/** The group size that the configuration states, which the tensors' shapes must have; where it states none, theirs. */
const groupSizeOf = (
  layout: AutoAwqLayout,
  { scales }: QweightTensors,
  shape: readonly [out: number, inputs: number],
  stated: number | undefined,
): number => {
  const [, width] = shape
  const groups = layout === 'gemv' ? scales.shape[1]! : scales.shape[0]!
  const countOf = (groupSize: number): number =>
    layout === 'gemm' ? groupCount({ groupSize, shape }) : paddedGroups({ groupSize, shape })
  const sizes =
    stated === undefined ? [128, 64, 32, 256, width, width / groups] : [stated < 1 ? width : Math.min(stated, width)]
  const found = sizes.find(
    (size) => Number.isInteger(size) && size > 0 && width % size === 0 && countOf(size) === groups,
  )
  const groupsText = stated === undefined ? 'in any groups' : `in groups of ${stated}, as quantization_config says`
  return (
    found ?? refuseTensor(scales, `is ${tensorText(scales)}, no scales of a matrix [${shape.join(', ')}] ${groupsText}`)
  )
}

const readMatrix = async (
  tensors: QweightTensors,
  shape: readonly [out: number, inputs: number],
  { folder, quantization, scales: given }: QweightContext,
): Promise<QuantizedParameter> => {
  const { qweight, zeros, scales } = tensors
  const told = layoutOfTensors(tensors)
  if (told === undefined || told === 'gptq') {
    return refuseTensor(qweight, `is ${tensorText(qweight)} with scales ${tensorText(scales)}, no layout of AutoAWQ`)
  }
  const where = `${folder.name}: quantization_config`
  const stated = (key: string, older: string): number | undefined =>
    statedInteger(quantization, key, where) ?? statedInteger(quantization, older, where)
  const bits = stated('bits', 'w_bit') ?? 4
  if (bits !== 4) throw new AwqError('UNSUPPORTED', `${where} says ${bits} bits; AutoAWQ's 4 are read`)
  const layout = told === 'llm-awq' ? 'gemv_fast' : told
  const fast = layout === 'gemv_fast'
  const groupSize = groupSizeOf(layout, tensors, shape, stated('group_size', 'q_group_size'))
  const size = { groupSize, shape }
  const problem = autoAwqProblem(layout, size)
  if (problem !== null) refuseTensor(qweight, `cannot be [${shape.join(', ')}] in the layout ${layout}: ${problem}`)
  const expected = autoAwqShapes(layout, size)
  expectTensor(qweight, [fast ? 'I16' : 'I32'], expected.qweight)
  expectTensor(zeros, fast ? ['F16', 'BF16'] : ['I32'], expected.qzeros)
  // Zero points that are multiplied are in the type of the scales.
  expectTensor(scales, fast ? [zeros.dtype] : ['F16', 'BF16', 'F32'], expected.scales)
  const held = heldGroupSize(groupSize, shape[1])
  if (held === null) {
    throw new AwqError(
      'UNSUPPORTED',
      `${qweight.file}: ${qweight.name} has groups of ${groupSize}; multiples of 16 are read`,
    )
  }
  const words = fast ? words16 : words32
  return {
    kind: 'quantized',
    spec: { bits: 4, groupSize: held, symmetric: false },
    shape,
    denseColumns: 0,
    inputOrder: false,
    async read(options = {}) {
      const [points, steps] = [await zeros.read(options), await scales.read(options)]
      const float16 = given.convert(steps, scales.dtype, scales.name)
      const codes = words(await qweight.read(options))
      try {
        const qzeros = zeros.dtype === 'BF16' ? float16Products(points, steps, float16) : words(points)
        const packed = { qweight: codes, qzeros, scales: float16 }
        return regroup(unpackAutoAwq(layout, packed, size), held)
      } catch (cause) {
        throw AwqError.is(cause) ? new AwqError(cause.code, `${zeros.file}: ${zeros.name}: ${messageOf(cause)}`) : cause
      }
    },
  }
}

/** Opens a folder. @param format what the model calls the format it came from */
export const readAutoAwq = async (folder: Folder, format: string, options: ReadOptions = {}): Promise<PortableModel> =>
  await readQweights(folder, format, readMatrix, options, async (parameters, description) =>
    scalesOfActivations(parameters, description),
  )
