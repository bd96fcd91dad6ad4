/**
 * Float checkpoints of Hugging Face as a format: config.json and safetensors files.
 * @module
 */

import { modelParameters, openFloatCheckpoint } from '@awq/models'
import { type DescribedParameter, describedParameters } from './check-model.ts'
import { fileNamer } from './file-names.ts'
import { folderCompanions, writeCompanions } from './folder/companions.ts'
import { describeConfig, peekFolderConfig, readFolderConfig } from './folder/config.ts'
import { configText } from './folder/config-text.ts'
import { openTensorFiles } from './folder/tensor-files.ts'
import type { Format } from './format.ts'
import type { Parameter, PortableModel } from './model.ts'
import { sourceOf } from './provenance.ts'

/** Weights of 8-bit floating point and MXFP4 are read as what they stand for. */
const FLOAT_METHODS = ['fp8', 'mxfp4']

const recognise: Format['recognise'] = async (folder) => {
  const found = await peekFolderConfig(folder)
  if (!found) return false
  const { quant_method: method, format } = found.quantization ?? {}
  const float =
    found.quantization === undefined ||
    FLOAT_METHODS.includes(String(method)) ||
    (method === 'compressed-tensors' && /^(float|naive)-quantized$/.test(String(format)))
  return float && (await folder.list()).some((file) => file.endsWith('.safetensors'))
}

const read: Format['read'] = async (folder, { signal } = {}) => {
  const { config, quantization } = await readFolderConfig(folder)
  const description = describeConfig(
    quantization ? { ...config, quantization_config: quantization } : config,
    `${folder.name}/config.json`,
  )
  const checkpoint = await openFloatCheckpoint(folder, description, { signal })
  const parameters = new Map<string, Parameter>()
  for (const { name } of [...modelParameters(description), ...(description.vision?.parameters ?? [])]) {
    const entry = checkpoint.tensors.get(name)
    if (entry) parameters.set(name, { kind: 'float', entry })
  }
  return {
    name: folder.name,
    format: 'float',
    config,
    description,
    parameters,
    companions: await folderCompanions(folder),
    provenance: { method: 'none', folded: [], calibration: null, source: sourceOf(folder, description) },
    [Symbol.asyncDispose]: () => checkpoint.close(),
  }
}

const problems = ({ parameters }: PortableModel): string[] =>
  [...parameters].flatMap(([name, { kind }]) => (kind === 'quantized' ? [`${name} is quantized`] : []))

const write: NonNullable<Format['write']> = async (model, into, options = {}) => {
  const named = fileNamer(model.description)
  const parameters = describedParameters(model).map(({ spec, parameter }: DescribedParameter) => {
    if (parameter.kind === 'quantized') throw new TypeError(`${spec.name} is quantized`)
    return { name: named(spec.name), entry: parameter.entry }
  })
  const files = await openTensorFiles(
    into,
    parameters.map(({ name, entry: { dtype, shape } }) => ({ name, dtype, shape })),
  )
  for (const [index, { name, entry }] of parameters.entries()) {
    options.signal?.throwIfAborted()
    await files.write(name, await entry.read({ signal: options.signal }))
    options.onProgress?.({ name, completed: index + 1, total: parameters.length })
  }
  await files.finish()
  await writeCompanions(model, into)
  await into.writeText('config.json', configText(model.config))
}

/** What `awq quantize` reads. */
export const floatFormat: Format = {
  name: 'float',
  title: 'a float checkpoint of Hugging Face, which awq quantize and most programs read',
  sees: true,
  recognise,
  read,
  problems,
  write,
}
