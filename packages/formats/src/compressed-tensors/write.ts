/**
 * Writes checkpoints of compressed-tensors, format `pack-quantized`.
 * @module
 */
import type { StoreEntry } from '@awq/quantize'
import type { QuantizedMatrix } from '@awq/tensor'
import { quantizedTowerProblems } from '../blind-model.ts'
import { type DescribedParameter, describedParameters } from '../check-model.ts'
import { moduleNames, visionRoots } from '../file-names.ts'
import type { FolderWriter } from '../folder/writer.ts'
import type { WriteOptions } from '../format.ts'
import { floatModules, isTable, moduleOf, transposedMatrices } from '../matrix-names.ts'
import type { PortableModel, QuantizedParameter } from '../model.ts'
import { writePackedCheckpoint } from '../packed/checkpoint.ts'
import { scaleVectorProblems } from '../unit-scales.ts'
import { warnOfSiblings } from '../vllm-siblings.ts'
import { type SchemeGroup, type WeightScheme, writeSchemes } from './config.ts'
import { packColumns, packedWords, packRows } from './layout.ts'

/** The scheme that a matrix is written in; a group as long as the row or longer is the row. */
const schemeOf = ({ spec: { bits, groupSize, symmetric }, shape: [, width] }: QuantizedParameter): WeightScheme => ({
  bits,
  groupSize: groupSize >= width ? -1 : groupSize,
  symmetric,
})

/** Why a model cannot be written, by parameter. */
export const compressedTensorsProblems = (model: PortableModel): string[] => {
  const turned = transposedMatrices(model)
  const experts = Object.keys(model.description.stacked).map(
    (name) => new RegExp(`\\.${name.replace(/[.]/g, '\\.').replace('*', '\\d+')}$`),
  )
  const found = [...scaleVectorProblems(model), ...quantizedTowerProblems(model)]
  let quantized = 0
  for (const [name, given] of model.parameters) {
    if (experts.some((pattern) => pattern.test(name))) {
      found.push(`${name}: checkpoints of this family hold all experts in one tensor, which has no packed form`)
      break
    }
    // Tables become floats.
    if (given.kind === 'float' || isTable(model, name)) continue
    quantized++
    const { groupSize } = schemeOf(given)
    if (given.denseColumns > 0) found.push(`${name}: ${given.denseColumns} of its columns stay float (--keep-salient)`)
    if (given.inputOrder)
      found.push(`${name}: its inputs are in an order of their own, which compressed-tensors gave up`)
    if (groupSize > 0 && given.shape[1] % groupSize !== 0) {
      found.push(`${name}: rows of ${given.shape[1]} do not divide into groups of ${groupSize}`)
    }
    if (turned.has(name))
      found.push(`${name}: this family multiplies by the transposed matrix (Conv1D), which is not packed`)
  }
  if (quantized === 0) found.push('none of its matrices is quantized; use awq quantize')
  return found
}

const entriesOf = (module: string, parameter: QuantizedParameter): StoreEntry[] => {
  const [out, width] = parameter.shape
  const { bits, groupSize, symmetric } = schemeOf(parameter)
  const groups = groupSize === -1 ? 1 : width / groupSize
  const words = (count: number) => packedWords(count, bits, 'dense')
  return [
    { name: `${module}.weight_packed`, dtype: 'I32', shape: [out, words(width)] },
    { name: `${module}.weight_scale`, dtype: 'F16', shape: [out, groups] },
    ...(symmetric ? [] : [{ name: `${module}.weight_zero_point`, dtype: 'I32' as const, shape: [words(out), groups] }]),
    { name: `${module}.weight_shape`, dtype: 'I64', shape: [2] },
  ]
}

const pack = (module: string, matrix: QuantizedMatrix): Map<string, ArrayBufferView> => {
  const { bits, codes, scales, zeroPoints, shape } = matrix
  const [out, width] = shape
  const parts = new Map<string, ArrayBufferView>([
    [`${module}.weight_packed`, packRows(codes, out, width, bits)],
    [`${module}.weight_scale`, scales],
    [`${module}.weight_shape`, BigInt64Array.of(BigInt(out), BigInt(width))],
  ])
  if (zeroPoints) parts.set(`${module}.weight_zero_point`, packColumns(zeroPoints, out, scales.length / out, bits))
  return parts
}

/**
 * Groups of equal schemes. With one scheme it is that of all linears, else modules are named: vLLM looks for classes first.
 * That of the experts is the first, which is where transformers looks for it: experts are no modules there.
 */
const schemeGroups = (parameters: readonly DescribedParameter[], model: PortableModel): SchemeGroup[] => {
  const groups = new Map<string, { readonly scheme: WeightScheme; readonly targets: string[] }>()
  for (const { spec, parameter } of parameters) {
    if (parameter.kind === 'float' || isTable(model, spec.name)) continue
    const scheme = schemeOf(parameter)
    const key = JSON.stringify(scheme)
    const group = groups.get(key) ?? { scheme, targets: [] }
    group.targets.push(...namesIn(model)(moduleOf(spec.name)))
    groups.set(key, group)
  }
  const hasExperts = ({ targets }: SchemeGroup): boolean => targets.some((target) => target.includes('.experts.'))
  const found = [...groups.values()].sort((one, other) => Number(hasExperts(other)) - Number(hasExperts(one)))
  return found.length === 1 ? found.map((group) => ({ ...group, targets: ['Linear'] })) : found
}

const namesIn =
  ({ description }: PortableModel) =>
  (module: string): string[] =>
    moduleNames(description, module)

/** Linears that stay float: the head, matrices of blocks that were left out, and how a model sees. */
const ignored = (model: PortableModel): string[] => [
  ...new Set([...floatModules(model), moduleOf(model.description.headTable)].flatMap(namesIn(model))),
  ...visionRoots(model).map((root) => `re:(.*\\.)?${root}\\..*`),
]

/** A text for each way in which a matrix can be quantized. */
const schemeText = ({ parameter }: DescribedParameter): string =>
  parameter.kind === 'float' ? 'float' : JSON.stringify(schemeOf(parameter))

/** transformers puts experts into one tensor while it reads them: with one scheme for all, and without zero points. */
const warnOfExperts = (parameters: readonly DescribedParameter[], options: WriteOptions): void => {
  const schemes = new Set<string>()
  let zeroPoints = false
  for (const { spec, parameter } of parameters) {
    if (parameter.kind === 'float' || !spec.name.includes('.experts.')) continue
    schemes.add(JSON.stringify(schemeOf(parameter)))
    zeroPoints ||= !parameter.spec.symmetric
  }
  if (schemes.size < 2 && !zeroPoints) return
  const why = zeroPoints ? 'have zero points' : 'are quantized in more than one way'
  options.onWarning?.(
    `its experts ${why}: transformers 5 reads experts from this format only where all are symmetric and alike`,
  )
}

/** Writes safetensors files, config.json and the files that go along. */
export const writeCompressedTensors = async (
  model: PortableModel,
  into: FolderWriter,
  options: WriteOptions = {},
): Promise<void> => {
  const parameters = describedParameters(model)
  const schemes = new Map(parameters.map((described) => [described.spec.name, schemeText(described)]))
  warnOfSiblings(model, (name) => schemes.get(name), options)
  warnOfExperts(parameters, options)
  const quantization = writeSchemes(schemeGroups(parameters, model), ignored(model))
  await writePackedCheckpoint(model, into, { entries: entriesOf, pack, quantization }, options)
}
