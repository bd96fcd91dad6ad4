/**
 * Writes a GGUF file.
 * @module
 */
import type { ParameterSpec } from '@awq/models'
import { AwqError, fromFloat32, messageOf, readFloat32 } from '@awq/tensor'
import { languageParameters } from '../check-model.ts'
import { companionText } from '../folder/companions.ts'
import type { FileWriter, FolderWriter } from '../folder/writer.ts'
import type { WriteOptions } from '../format.ts'
import type { ModelForms, ParameterForm } from '../matrix-kinds.ts'
import { isTable } from '../matrix-names.ts'
import type { Parameter, PortableModel } from '../model.ts'
import { float16Rows } from '../packed/float-table.ts'
import { type GgufArchitecture, ggufArchitectures, ggufName, permutedHeads, permuteRows } from './architectures.ts'
import { type GgufField, type GgufTensorToWrite, planGguf } from './encode.ts'
import { integerType, writeIntegers } from './integers.ts'
import { ggufMetadata } from './metadata.ts'
import { BLOCK, type GgufType, ggufType } from './types.ts'
import { vocabularyFields } from './vocabulary.ts'

/** A parameter with its name and type there. */
interface Planned {
  readonly spec: ParameterSpec
  readonly parameter: Parameter
  readonly tensor: GgufTensorToWrite
  /** A quantized table without blocks that hold it. */
  readonly asFloat: boolean
}

const findArchitecture = ({ description: { config } }: PortableModel): GgufArchitecture | undefined =>
  ggufArchitectures.find(({ modelTypes }) => modelTypes.includes(config.modelType))

const vocabularyOf = async (model: PortableModel): Promise<ReadonlyMap<string, GgufField>> =>
  vocabularyFields(
    {
      tokenizer: await companionText(model, 'tokenizer.json'),
      config: await companionText(model, 'tokenizer_config.json'),
      generation: await companionText(model, 'generation_config.json'),
      template: await companionText(model, 'chat_template.jinja'),
    },
    model.description.config.vocabSize,
    model.config,
  )

/** Why llama.cpp cannot be given a model, by parameter. */
export const ggufProblems = async (model: PortableModel): Promise<string[]> => {
  const architecture = findArchitecture(model)
  const { modelType } = model.description.config
  if (!architecture) {
    const known = ggufArchitectures.flatMap(({ modelTypes }) => modelTypes).join(', ')
    return [`its family is ${modelType}; in GGUF files, ${known} are written`]
  }
  const found = [...ggufMetadata(architecture, model.description).problems]
  for (const [name, given] of model.parameters) {
    if (ggufName(architecture, name) === null)
      found.push(`${name}: llama.cpp's ${architecture.name} models have no such tensor`)
    if (given.kind === 'float') continue
    const { spec, shape, denseColumns, inputOrder } = given
    const type = integerType({ ...spec, shape })
    if (denseColumns > 0) found.push(`${name}: ${denseColumns} of its columns stay float (--keep-salient)`)
    else if (inputOrder) found.push(`${name}: its inputs are in an order of their own, which GGUF does not have`)
    else if (typeof type === 'string' && !isTable(model, name)) found.push(`${name}: ${type}`)
  }
  try {
    await vocabularyOf(model)
  } catch (error) {
    found.push(messageOf(error))
  }
  return found
}

/** How GGUF stores parameters: in blocks of 32, of 4 or 8 bits; tables that fit none as float16. */
export const ggufForms = (model: PortableModel): ModelForms['parameters'] =>
  new Map(
    [...model.parameters].map(([name, found]): [string, ParameterForm] => {
      if (found.kind === 'float')
        return [name, { kind: 'float', entry: { ...found.entry, dtype: floatType(found).name } }]
      const type = integerType({ ...found.spec, shape: found.shape })
      if (typeof type === 'string') return [name, { kind: 'float', entry: { dtype: 'F16', shape: found.shape } }]
      return [name, { ...found, spec: { ...found.spec, bits: type.name === 'Q8_0' ? 8 : 4, groupSize: BLOCK } }]
    }),
  )

/** Vectors are float32, as llama.cpp asks; matrices are as they are. */
const floatType = ({ entry }: Parameter & { kind: 'float' }): GgufType =>
  entry.shape.length === 1 || !['F16', 'BF16', 'F32'].includes(entry.dtype) ? ggufType('F32') : ggufType(entry.dtype)

const plan = (model: PortableModel, architecture: GgufArchitecture): Planned[] =>
  languageParameters(model).map(({ spec, parameter }) => {
    const name = ggufName(architecture, spec.name)!
    if (parameter.kind === 'float') {
      const tensor = { name, type: floatType(parameter), shape: parameter.entry.shape }
      return { spec, parameter, tensor, asFloat: false }
    }
    const held = integerType({ ...parameter.spec, shape: parameter.shape })
    const asFloat = typeof held === 'string'
    return {
      spec,
      parameter,
      asFloat,
      tensor: { name, type: asFloat ? ggufType('F16') : held, shape: parameter.shape },
    }
  })

/** The bytes of a parameter, piece by piece. */
async function* bytesOf(
  { spec: { name }, parameter, tensor, asFloat }: Planned,
  model: PortableModel,
  architecture: GgufArchitecture,
  { signal, onWarning }: WriteOptions,
): AsyncGenerator<Uint8Array> {
  const heads = permutedHeads(architecture, name, model.description.config)
  const ordered = (bytes: Uint8Array) => (heads === null ? bytes : permuteRows(bytes, tensor.shape[0]!, heads, 'gguf'))
  if (parameter.kind === 'quantized') {
    const matrix = await parameter.read({ signal })
    if (!asFloat) return yield ordered(writeIntegers(matrix, name))
    onWarning?.(`${name} becomes float16: ${String(integerType({ ...parameter.spec, shape: parameter.shape }))}`)
    return yield* float16Rows(matrix, name)
  }
  const { entry } = parameter
  const added = /norm\.weight$/.test(name) ? architecture.normOffset : 0
  if (added === 0 && entry.dtype === tensor.type.dtype) return yield ordered(await entry.read({ signal }))
  const values = await readFloat32(entry, { signal })
  if (added !== 0) for (let i = 0; i < values.length; i++) values[i]! += added
  yield ordered(fromFloat32(values, 'F32'))
}

/** llama.cpp's number for what most of a file is. */
const fileTypes: Readonly<Record<string, number>> = { F32: 0, F16: 1, Q4_0: 2, Q4_1: 3, Q8_0: 7, BF16: 32 }

const fileType = (planned: readonly Planned[]): number => {
  const counts = new Map<string, number>()
  for (const { tensor, spec } of planned)
    if (spec.shape.length > 1) counts.set(tensor.type.name, (counts.get(tensor.type.name) ?? 0) + 1)
  const [most] = [...counts].sort(([, one], [, other]) => other - one)
  return fileTypes[most?.[0] ?? 'F32'] ?? 0
}

const warnOfMinimums = (planned: readonly Planned[], { onWarning }: WriteOptions): void => {
  const count = planned.filter(({ tensor }) => tensor.type.name === 'Q4_1').length
  if (count === 0) return
  onWarning?.(
    `${count} matrices with zero points become Q4_1, which holds zero point times scale rounded to float16; read again ` +
      'they have the same zero points',
  )
}

/** Writes `model.gguf`, which holds all: settings, tokenizer, weights. */
export const writeGguf = async (
  model: PortableModel,
  into: FolderWriter,
  options: WriteOptions = {},
): Promise<void> => {
  const architecture = findArchitecture(model)
  if (!architecture) throw new AwqError('UNSUPPORTED', (await ggufProblems(model)).join('; '))
  const planned = plan(model, architecture)
  const { fields, tensors: settings, warnings } = ggufMetadata(architecture, model.description)
  for (const warning of warnings) options.onWarning?.(warning)
  warnOfMinimums(planned, options)
  const { name: source } = model.provenance.source
  const all = new Map<string, GgufField>([
    ...fields,
    ['general.name', { type: 'string', value: source }],
    ['general.file_type', { type: 'uint32', value: fileType(planned) }],
    ...(await vocabularyOf(model)),
  ])
  const settingTensors = settings.map(({ name, values }) => ({ name, type: ggufType('F32'), shape: [values.length] }))
  const { header, places, size } = planGguf(all, [...settingTensors, ...planned.map(({ tensor }) => tensor)])
  const file = await into.createFile('model.gguf', size)
  await file.write(0, header)
  const write = async (to: FileWriter, name: string, pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) => {
    let at = places.get(name)!.offset
    for await (const bytes of pieces) {
      await to.write(at, bytes)
      at += bytes.length
    }
  }
  for (const { name, values } of settings) await write(file, name, [fromFloat32(values, 'F32')])
  for (const [index, parameter] of planned.entries()) {
    options.signal?.throwIfAborted()
    await write(file, parameter.tensor.name, bytesOf(parameter, model, architecture, options))
    options.onProgress?.({ name: parameter.spec.name, completed: index + 1, total: planned.length })
  }
  await file.close()
}
