/**
 * Writes checkpoints of AutoAWQ, GEMM and GEMV.
 * @module
 */
import { effectiveGroupSize } from '@awq/quantize'
import type { QuantizedMatrix } from '@awq/tensor'
import { moduleNames, visionRoots } from '../file-names.ts'
import type { JsonObject } from '../folder/config.ts'
import type { FolderWriter } from '../folder/writer.ts'
import type { WriteOptions } from '../format.ts'
import { floatModules, moduleOf, transposedMatrices } from '../matrix-names.ts'
import type { PortableModel, QuantizedParameter } from '../model.ts'
import { type PackedWriter, writePackedCheckpoint } from '../packed/checkpoint.ts'
import { usualSpec } from '../packed/usual-spec.ts'
import { warnOfSiblings } from '../vllm-siblings.ts'
import { type AutoAwqLayout, type AutoAwqShape, autoAwqProblem, autoAwqShapes, packAutoAwq } from './autoawq-layout.ts'
import { packedMatrices, qweightProblems } from './write.ts'

const sizeOf = ({ spec, shape }: Pick<QuantizedParameter, 'spec' | 'shape'>): AutoAwqShape => ({
  groupSize: effectiveGroupSize(spec.groupSize, shape[1]),
  shape,
})

/** Why a model cannot be written in a layout, by parameter. */
export const autoAwqProblems = (model: PortableModel, layout: AutoAwqLayout): string[] => {
  const found = qweightProblems(model)
  const matrices = packedMatrices(model)
  if (matrices.length === 0) return found
  const { groupSize } = usualSpec(matrices)!
  const turned = transposedMatrices(model)
  for (const [name, parameter] of matrices) {
    const { spec, shape, inputOrder } = parameter
    const text = `${name} [${shape.join(', ')}]`
    if (spec.bits !== 4) found.push(`${name} has ${spec.bits} bits, and AutoAWQ 4`)
    if (spec.groupSize !== groupSize) {
      found.push(`${name} has groups of ${spec.groupSize}, others of ${groupSize}: AutoAWQ has one size for all`)
    }
    if (inputOrder) found.push(`${name}: its inputs are in an order of their own (GPTQ's activation order)`)
    if (turned.has(name)) found.push(`${name}: this family multiplies by the transposed matrix (Conv1D)`)
    const problem = autoAwqProblem(layout, sizeOf(parameter))
    if (problem !== null) found.push(`${text}: ${problem}`)
  }
  return found
}

const configOf = (model: PortableModel, layout: AutoAwqLayout): JsonObject => {
  const { groupSize } = usualSpec(packedMatrices(model))!
  const { description } = model
  const seeing = visionRoots(model)
  const left = [...floatModules(model), ...seeing]
  const named = (module: string): string[] => moduleNames(description, module)
  return {
    quant_method: 'awq',
    bits: 4,
    group_size: groupSize,
    zero_point: true,
    version: layout,
    modules_to_not_convert: left.length === 0 ? null : [...left, moduleOf(description.headTable)].flatMap(named),
  }
}

/** Writes a folder of AutoAWQ. */
export const writeAutoAwq = async (
  model: PortableModel,
  into: FolderWriter,
  layout: 'gemm' | 'gemv',
  options: WriteOptions = {},
): Promise<void> => {
  const writer: PackedWriter = {
    entries(module: string, parameter: QuantizedParameter) {
      const { qweight, qzeros, scales } = autoAwqShapes(layout, sizeOf(parameter))
      return [
        { name: `${module}.qweight`, dtype: 'I32', shape: qweight },
        { name: `${module}.qzeros`, dtype: 'I32', shape: qzeros },
        { name: `${module}.scales`, dtype: 'F16', shape: scales },
      ]
    },
    pack(module: string, matrix: QuantizedMatrix) {
      const { qweight, qzeros, scales } = packAutoAwq(layout, matrix)
      return new Map<string, ArrayBufferView>([
        [`${module}.qweight`, qweight],
        [`${module}.qzeros`, qzeros],
        [`${module}.scales`, scales],
      ])
    },
    quantization: configOf(model, layout),
    configFile: 'quant_config.json',
  }
  const packed = new Set(packedMatrices(model).map(([name]) => name))
  warnOfSiblings(model, (name) => (packed.has(name) ? 'packed' : 'float'), options)
  await writePackedCheckpoint(model, into, writer, options)
}
