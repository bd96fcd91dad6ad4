/**
 * Writes checkpoints of Hugging Face's layout whose matrices are several tensors of packed integers.
 * @module
 */
import type { QuantSpec, StoreEntry } from '@awq/quantize'
import { AwqError, bytesOf, fromFloat32, type QuantizedMatrix, readFloat32 } from '@awq/tensor'
import { type DescribedParameter, describedParameters } from '../check-model.ts'
import { fileNamer, visionRoots } from '../file-names.ts'
import { writeCompanions } from '../folder/companions.ts'
import { isObject, type JsonObject } from '../folder/config.ts'
import { configText } from '../folder/config-text.ts'
import { openTensorFiles } from '../folder/tensor-files.ts'
import type { FolderWriter } from '../folder/writer.ts'
import type { WriteOptions } from '../format.ts'
import type { ModelForms, ParameterForm } from '../matrix-kinds.ts'
import { isTable, moduleOf } from '../matrix-names.ts'
import type { FloatParameter, PortableModel, QuantizedParameter } from '../model.ts'
import { float16Rows } from './float-table.ts'

/** How a format writes matrices. */
export interface PackedWriter {
  /** The tensors of a matrix, named after its module. */
  entries(module: string, parameter: QuantizedParameter): StoreEntry[]
  /** Their bytes, by name. */
  pack(module: string, matrix: QuantizedMatrix): ReadonlyMap<string, ArrayBufferView>
  /** The `quantization_config`. */
  readonly quantization: JsonObject
  /** Name of the file that has it too, for older programs. */
  readonly configFile?: string | undefined
}

/** The type that config.json states: scales are float16, and so are other numbers unless they were float32. */
const statedType = ({ config: { dtype, torch_dtype: older } }: PortableModel): 'float32' | 'float16' =>
  dtype === 'float32' || older === 'float32' ? 'float32' : 'float16'

/**
 * The one type of all floats of a model that sees: transformers 5 leaves tensors of a quantized checkpoint whose names it
 * changes in the type that the file has. Others stay as they are.
 */
const floatType = (model: PortableModel): 'F32' | 'F16' | undefined => {
  if (visionRoots(model).length === 0) return undefined
  return statedType(model) === 'float32' ? 'F32' : 'F16'
}

/** @throws AwqError NUMERIC for a number that float16 does not hold */
const floatBytes = async (
  { entry }: FloatParameter,
  dtype: 'F32' | 'F16' | undefined,
  { signal }: WriteOptions,
): Promise<Uint8Array> => {
  if (dtype === undefined || entry.dtype === dtype) return await entry.read({ signal })
  const values = await readFloat32(entry, { signal })
  const large = dtype === 'F16' ? values.find((value) => Math.abs(value) > 65504) : undefined
  if (large !== undefined)
    throw new AwqError(
      'NUMERIC',
      `${entry.name} holds ${large}, which float16 does not; this format's scales are float16`,
    )
  return fromFloat32(values, dtype)
}

const entriesOf = (
  model: PortableModel,
  { spec, parameter }: DescribedParameter,
  writer: PackedWriter,
  named: (name: string) => string,
): StoreEntry[] => {
  const name = named(spec.name)
  if (parameter.kind === 'float')
    return [{ name, dtype: floatType(model) ?? parameter.entry.dtype, shape: parameter.entry.shape }]
  if (isTable(model, spec.name)) return [{ name, dtype: 'F16', shape: parameter.shape }]
  return writer.entries(moduleOf(name), parameter)
}

/** How these formats store parameters: quantized tables become float16; `change` is what else a format does. */
export const packedForms = (
  model: PortableModel,
  change: (spec: QuantSpec) => QuantSpec = (spec) => spec,
): ModelForms['parameters'] =>
  new Map(
    [...model.parameters].map(([name, found]): [string, ParameterForm] =>
      found.kind === 'quantized' && isTable(model, name)
        ? [name, { kind: 'float', entry: { dtype: 'F16', shape: found.shape } }]
        : [name, found.kind === 'quantized' ? { ...found, spec: change(found.spec) } : found],
    ),
  )

const configOf = (model: PortableModel, quantization: JsonObject) => {
  const { dtype: _, torch_dtype: __, ...config } = model.config
  const type = statedType(model)
  // The parts of a model that sees have types of their own, which transformers would go by.
  const parts = Object.entries(config).flatMap(([field, part]) => {
    if (!isObject(part) || !field.endsWith('_config')) return []
    const { dtype: ___, torch_dtype: ____, ...rest } = part
    return [[field, { ...rest, torch_dtype: type }] as const]
  })
  return { ...config, ...Object.fromEntries(parts), torch_dtype: type, quantization_config: quantization }
}

/** Writes safetensors files, config.json and the files that go along. */
export const writePackedCheckpoint = async (
  model: PortableModel,
  into: FolderWriter,
  writer: PackedWriter,
  options: WriteOptions = {},
): Promise<void> => {
  const parameters = describedParameters(model)
  const named = fileNamer(model.description)
  const files = await openTensorFiles(
    into,
    parameters.flatMap((parameter) => entriesOf(model, parameter, writer, named)),
  )
  for (const [index, { spec, parameter }] of parameters.entries()) {
    const name = named(spec.name)
    options.signal?.throwIfAborted()
    if (parameter.kind === 'float') await files.write(name, await floatBytes(parameter, floatType(model), options))
    else {
      const matrix = await parameter.read({ signal: options.signal })
      if (!isTable(model, spec.name)) {
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
  if (configFile !== undefined) await into.writeText(configFile, `${JSON.stringify(quantization, null, 2)}\n`)
  await into.writeText('config.json', configText(configOf(model, quantization)))
}
