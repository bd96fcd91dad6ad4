/**
 * Writes checkpoints whose matrices are `MODULE.qweight`.
 * @module
 */

import type { QuantSpec, StoreEntry } from '@awq/quantize'
import type { QuantizedMatrix } from '@awq/tensor'
import { type DescribedParameter, describedParameters } from './check-model.ts'
import { writeCompanions } from './companions.ts'
import { configText } from './config-text.ts'
import { float16Rows } from './float-table.ts'
import type { JsonObject } from './folder-config.ts'
import type { FolderWriter } from './folder-writer.ts'
import type { WriteOptions } from './format.ts'
import type { PortableModel, QuantizedParameter } from './model.ts'
import { openTensorFiles } from './tensor-files.ts'
import { scaleVectorProblems } from './unit-scales.ts'

const SUFFIX = '.weight'

/** Name of the module that a weight belongs to. */
export const moduleOf = (name: string): string => name.slice(0, -SUFFIX.length)

/** True for the embedding table and the head's. */
export const isTable = ({ description: { embedding, head } }: PortableModel, name: string): boolean =>
  name === embedding || name === head

/** The matrices that are written as integers. */
export const packedMatrices = (model: PortableModel): (readonly [name: string, parameter: QuantizedParameter])[] =>
  [...model.parameters].flatMap(([name, parameter]) =>
    parameter.kind === 'quantized' && !isTable(model, name) ? [[name, parameter] as const] : [],
  )

/** Modules of blocks whose matrix stays float. */
export const floatModules = (model: PortableModel): string[] => {
  const { blocks, parameter, outer } = model.description
  const specs = [
    ...blocks.flatMap(({ parameters }, layer) =>
      parameters.map(({ name, shape }) => ({ name: parameter(layer, name), shape })),
    ),
    ...outer.dense,
  ]
  return specs.flatMap(({ name, shape }) =>
    shape.length === 2 && name.endsWith(SUFFIX) && model.parameters.get(name)?.kind === 'float' ? [moduleOf(name)] : [],
  )
}

/** The spec that most matrices have. */
export const usualSpec = (matrices: readonly (readonly [name: string, parameter: QuantizedParameter])[]): QuantSpec => {
  const counts = new Map<string, { readonly spec: QuantSpec; count: number }>()
  for (const [, { spec }] of matrices) {
    const { bits, groupSize, symmetric } = spec
    const key = `${bits} ${groupSize} ${symmetric}`
    const counted = counts.get(key) ?? { spec: { bits, groupSize, symmetric }, count: 0 }
    counted.count++
    counts.set(key, counted)
  }
  return [...counts.values()].sort((one, other) => other.count - one.count)[0]!.spec
}

/** Reasons that all these formats have to refuse a model. */
export const qweightProblems = (model: PortableModel): string[] => {
  const { stacked } = model.description
  const found: string[] = []
  if (Object.keys(stacked).length > 0) {
    found.push('checkpoints of this family hold all experts in one tensor, which has no packed form')
  }
  found.push(...scaleVectorProblems(model))
  const matrices = packedMatrices(model)
  for (const [name, { denseColumns }] of matrices) {
    if (denseColumns > 0) found.push(`${name}: ${denseColumns} of its columns stay float (--keep-salient)`)
  }
  if (matrices.length === 0) found.push('none of its matrices is quantized; use awq quantize')
  return found
}

/** How a format writes matrices. */
export interface QweightWriter {
  /** The tensors of a matrix, named after its module. */
  entries(module: string, parameter: QuantizedParameter): StoreEntry[]
  /** Their bytes, by name. */
  pack(module: string, matrix: QuantizedMatrix): ReadonlyMap<string, ArrayBufferView>
  /** The `quantization_config`. */
  readonly quantization: JsonObject
  /** Name of the file that has it too, for older programs. */
  readonly configFile: string
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

const entriesOf = (
  model: PortableModel,
  { spec: { name }, parameter }: DescribedParameter,
  writer: QweightWriter,
): StoreEntry[] => {
  if (parameter.kind === 'float') return [{ name, dtype: parameter.entry.dtype, shape: parameter.entry.shape }]
  if (isTable(model, name)) return [{ name, dtype: 'F16', shape: parameter.shape }]
  return writer.entries(moduleOf(name), parameter)
}

/** Numbers of checkpoints are float16, as scales are, unless they were float32. */
const configOf = ({ config: { dtype, torch_dtype: older, ...config } }: PortableModel, quantization: JsonObject) => {
  const type = dtype === 'float32' || older === 'float32' ? 'float32' : 'float16'
  return { ...config, torch_dtype: type, quantization_config: quantization }
}

/** Writes safetensors files, config.json and the files that go along. */
export const writeQweights = async (
  model: PortableModel,
  into: FolderWriter,
  writer: QweightWriter,
  options: WriteOptions = {},
): Promise<void> => {
  const parameters = describedParameters(model)
  const files = await openTensorFiles(
    into,
    parameters.flatMap((parameter) => entriesOf(model, parameter, writer)),
  )
  for (const [index, { spec, parameter }] of parameters.entries()) {
    const { name } = spec
    options.signal?.throwIfAborted()
    if (parameter.kind === 'float') await files.write(name, await parameter.entry.read({ signal: options.signal }))
    else {
      const matrix = await parameter.read({ signal: options.signal })
      if (!isTable(model, name)) {
        for (const [part, values] of writer.pack(moduleOf(name), matrix)) await files.write(part, bytesOf(values))
      } else {
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
  const { quantization, configFile } = writer
  await into.writeText(configFile, `${JSON.stringify(quantization, null, 2)}\n`)
  await into.writeText('config.json', configText(configOf(model, quantization)))
}
