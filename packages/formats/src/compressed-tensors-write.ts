/**
 * Writes checkpoints of compressed-tensors, format `pack-quantized`.
 * @module
 */

import type { StoreEntry, StoreWriter } from '@awq/quantize'
import type { QuantizedMatrix } from '@awq/tensor'
import { siteNames } from './awq-format.ts'
import { type DescribedParameter, describedParameters } from './check-model.ts'
import { writeCompanions } from './companions.ts'
import { type SchemeGroup, type WeightScheme, writeSchemes } from './compressed-tensors-config.ts'
import { packColumns, packedWords, packRows } from './compressed-tensors-layout.ts'
import { configText } from './config-text.ts'
import { float16Rows } from './float-table.ts'
import type { FolderWriter } from './folder-writer.ts'
import type { WriteOptions } from './format.ts'
import type { PortableModel, QuantizedParameter } from './model.ts'
import { openTensorFiles } from './tensor-files.ts'
import { scaleVectorProblems } from './unit-scales.ts'

const SUFFIX = '.weight'
const moduleOf = (name: string): string => name.slice(0, -SUFFIX.length)

const isTable = ({ description: { embedding, head } }: PortableModel, name: string): boolean =>
  name === embedding || name === head

/** The scheme that a matrix is written in; a group as long as the row or longer is the row. */
const schemeOf = ({ spec: { bits, groupSize, symmetric }, shape: [, width] }: QuantizedParameter): WeightScheme => ({
  bits,
  groupSize: groupSize >= width ? -1 : groupSize,
  symmetric,
})

/** Why a model cannot be written, by parameter. */
export const compressedTensorsProblems = (model: PortableModel): string[] => {
  const { stacked, blocks, parameter } = model.description
  const turned = new Set<string>()
  for (const [layer, { linears }] of blocks.entries())
    for (const linear of linears) if (linear.transposed) turned.add(parameter(layer, `${linear.name}${SUFFIX}`))
  const experts = Object.keys(stacked).map(
    (name) => new RegExp(`\\.${name.replace(/[.]/g, '\\.').replace('*', '\\d+')}$`),
  )
  const found = scaleVectorProblems(model)
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

const entriesOf = (model: PortableModel, { spec: { name }, parameter }: DescribedParameter): StoreEntry[] => {
  if (parameter.kind === 'float') return [{ name, dtype: parameter.entry.dtype, shape: parameter.entry.shape }]
  const [out, width] = parameter.shape
  if (isTable(model, name)) return [{ name, dtype: 'F16', shape: [out, width] }]
  const { bits, groupSize, symmetric } = schemeOf(parameter)
  const groups = groupSize === -1 ? 1 : width / groupSize
  const words = (count: number) => packedWords(count, bits, 'dense')
  return [
    { name: `${name}_packed`, dtype: 'I32', shape: [out, words(width)] },
    { name: `${name}_scale`, dtype: 'F16', shape: [out, groups] },
    ...(symmetric ? [] : [{ name: `${name}_zero_point`, dtype: 'I32' as const, shape: [words(out), groups] }]),
    { name: `${name}_shape`, dtype: 'I64', shape: [2] },
  ]
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

const writeMatrix = async (name: string, matrix: QuantizedMatrix, files: StoreWriter): Promise<void> => {
  const { bits, codes, scales, zeroPoints, shape } = matrix
  const [out, width] = shape
  await files.write(`${name}_packed`, bytesOf(packRows(codes, out, width, bits)))
  await files.write(`${name}_scale`, bytesOf(scales))
  if (zeroPoints)
    await files.write(`${name}_zero_point`, bytesOf(packColumns(zeroPoints, out, scales.length / out, bits)))
  await files.write(`${name}_shape`, bytesOf(BigInt64Array.of(BigInt(out), BigInt(width))))
}

/** Groups of equal schemes. With one scheme it is that of all linears, else modules are named: vLLM looks for classes first. */
const schemeGroups = (parameters: readonly DescribedParameter[], model: PortableModel): SchemeGroup[] => {
  const groups = new Map<string, { readonly scheme: WeightScheme; readonly targets: string[] }>()
  for (const { spec, parameter } of parameters) {
    if (parameter.kind === 'float' || isTable(model, spec.name)) continue
    const scheme = schemeOf(parameter)
    const key = JSON.stringify(scheme)
    const group = groups.get(key) ?? { scheme, targets: [] }
    group.targets.push(moduleOf(spec.name))
    groups.set(key, group)
  }
  const found = [...groups.values()]
  return found.length === 1 ? found.map((group) => ({ ...group, targets: ['Linear'] })) : found
}

/** Linears that stay float: the head, and matrices of blocks that were left out. */
const ignored = (parameters: readonly DescribedParameter[], { description }: PortableModel): string[] => {
  const float = parameters.filter(
    ({ spec: { name, shape }, parameter }) =>
      parameter.kind === 'float' && shape.length === 2 && name.endsWith(SUFFIX) && name !== description.embedding,
  )
  const names = float.map(({ spec }) => moduleOf(spec.name))
  return [...new Set([...names, moduleOf(description.headTable)])]
}

/** vLLM runs matrices that read one value as one, which takes equal schemes. */
const warnOfSiblings = (
  parameters: readonly DescribedParameter[],
  model: PortableModel,
  options: WriteOptions,
): void => {
  const sites = siteNames(model.description)
  const schemes = new Map<string, { readonly key: string; readonly name: string }>()
  for (const { spec, parameter } of parameters) {
    const site = sites.get(spec.name)
    if (site === undefined) continue
    const key = parameter.kind === 'float' ? 'float' : JSON.stringify(schemeOf(parameter))
    const other = schemes.get(site)
    if (other && other.key !== key) {
      options.onWarning?.(
        `${other.name} and ${spec.name} read one value and are quantized otherwise: transformers loads that, vLLM, which ` +
          'makes one matrix of them, does not',
      )
      return
    }
    schemes.set(site, { key, name: spec.name })
  }
}

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

/** config.json: numbers of checkpoints are float16, as scales are, unless they were float32. */
const configOf = (model: PortableModel, groups: readonly SchemeGroup[], ignore: readonly string[]) => {
  const { dtype, torch_dtype: older, ...config } = model.config
  const type = dtype === 'float32' || older === 'float32' ? 'float32' : 'float16'
  return { ...config, torch_dtype: type, quantization_config: writeSchemes(groups, ignore) }
}

/** Writes safetensors files, config.json and the files that go along. */
export const writeCompressedTensors = async (
  model: PortableModel,
  into: FolderWriter,
  options: WriteOptions = {},
): Promise<void> => {
  const parameters = describedParameters(model)
  const files = await openTensorFiles(
    into,
    parameters.flatMap((parameter) => entriesOf(model, parameter)),
  )
  warnOfSiblings(parameters, model, options)
  warnOfExperts(parameters, options)
  for (const [index, { spec, parameter }] of parameters.entries()) {
    const { name } = spec
    options.signal?.throwIfAborted()
    if (parameter.kind === 'float') await files.write(name, await parameter.entry.read({ signal: options.signal }))
    else {
      const matrix = await parameter.read({ signal: options.signal })
      if (!isTable(model, name)) await writeMatrix(name, matrix, files)
      else {
        options.onWarning?.(`${name} becomes float16: programs that read this format have no quantized tables`)
        let at = 0
        for (const bytes of float16Rows(matrix, name)) {
          await files.write(name, bytes, at)
          at += bytes.length
        }
      }
    }
    options.onProgress?.({ name, completed: index + 1, total: parameters.length })
  }
  await files.finish()
  await writeCompanions(model, into)
  const groups = schemeGroups(parameters, model)
  const config = configOf(model, groups, ignored(parameters, model))
  await into.writeText('config.json', configText(config))
}
