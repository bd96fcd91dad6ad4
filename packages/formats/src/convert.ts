/**
 * From a folder of one format to a folder of another.
 * @module
 */
import { readProvenance } from '@awq/quantize'
import { AwqError, type Folder, quoted } from '@awq/tensor'
import { awqFormat } from './awq-format.ts'
import { blindModel } from './blind-model.ts'
import { describedParameters } from './check-model.ts'
import { readFolderConfig } from './folder/config.ts'
import { checkFinished } from './folder/unfinished.ts'
import type { FolderWriter } from './folder/writer.ts'
import type { Format, WriteOptions } from './format.ts'
import { formats } from './formats.ts'
import type { PortableModel, ReadOptions } from './model.ts'
import { CARD_FILE, modelCard } from './model-card.ts'
import { checkFiles, withProvenance, writeProvenance } from './provenance.ts'
import { withoutUnitScales } from './unit-scales.ts'

/** @throws AwqError INVALID_ARGUMENT for a name that no format has, UNSUPPORTED for one that is only read */
export const writableFormat = (name: string): Format & Required<Pick<Format, 'problems' | 'write'>> => {
  const format = formats.find((candidate) => candidate.name === name)
  const names = formats.filter(({ write }) => write).map((candidate) => candidate.name)
  if (!format)
    throw new AwqError(
      'INVALID_ARGUMENT',
      `there is no format ${JSON.stringify(name)}; choose from ${names.join(', ')}`,
    )
  const { problems, write } = format
  if (!problems || !write)
    throw new AwqError('UNSUPPORTED', `${name} is only read, not written; choose from ${names.join(', ')}`)
  return { ...format, problems, write }
}

/**
 * The format of a folder, told by its files and their content; undefined for none that is known.
 * @throws AwqError INVALID_FILE for a folder that was not written to its end
 */
export const recogniseFormat = async (folder: Folder): Promise<Format | undefined> => {
  await checkFinished(folder)
  for (const format of formats) if (await format.recognise?.(folder)) return format
  // Formats that are only written say so themselves.
  const layout = await readProvenance(folder).then(
    (found) => found?.layout,
    () => undefined,
  )
  return formats.find(({ name }) => name === layout)
}

/**
 * Opens a model of any format that is read. Only headers are read, and held to what its config.json asks for.
 * @throws AwqError UNSUPPORTED for a folder of no known format, and what the format's `read` throws
 */
export const openPortable = async (folder: Folder, options: ReadOptions = {}): Promise<PortableModel> => {
  const format = await recogniseFormat(folder)
  if (format && !format.read)
    throw new AwqError(
      'UNSUPPORTED',
      `${folder.name} is in the format ${format.name}, which is written but not read; take the model it was made from`,
    )
  if (!format?.read) {
    const known = formats.filter(({ read }) => read).map(({ name }) => name)
    // A config.json that is damaged says so itself.
    const method = (await folder.has('config.json'))
      ? (await readFolderConfig(folder)).quantization?.quant_method
      : undefined
    const stated = method === undefined ? '' : `; its quantization_config says ${quoted(String(method))}`
    throw new AwqError('UNSUPPORTED', `${folder.name} is in no format known here (${known.join(', ')})${stated}`)
  }
  const model = await format.read(folder, options)
  try {
    describedParameters(model)
    return format === awqFormat ? model : await withProvenance(model, folder)
  } catch (error) {
    await model[Symbol.asyncDispose]()
    throw error
  }
}

/** Reasons that are told; the rest is counted. */
const TOLD = 4

/** What a format is given: vectors of ones are nothing to hold, and only our store has a place for them. */
const heldBy = async (name: string, model: PortableModel, options: ReadOptions = {}): Promise<PortableModel> => {
  const held = writableFormat(name).sees ? model : blindModel(model, name, options)
  return name === awqFormat.name ? held : await withoutUnitScales(held, options)
}

/** @throws AwqError UNSUPPORTED with the reasons why a format cannot hold a model */
export const checkHolds = async (model: PortableModel, name: string): Promise<void> => {
  const problems = await writableFormat(name).problems(await heldBy(name, model))
  if (problems.length === 0) return
  const more = problems.length > TOLD ? `; and ${problems.length - TOLD} more` : ''
  throw new AwqError('UNSUPPORTED', `${name} cannot hold ${model.name}: ${problems.slice(0, TOLD).join('; ')}${more}`)
}

const withCommand = (model: PortableModel, command: string | undefined): PortableModel => {
  if (command === undefined) return model
  const commands = [...(model.provenance.commands ?? []), command]
  return { ...model, provenance: { ...model.provenance, commands } }
}

/**
 * Writes a model in a format, with its card, and commits the folder; on any failure nothing is left of it. Returns the bytes written.
 * @throws AwqError INVALID_ARGUMENT for an unknown format, UNSUPPORTED with the reasons when it cannot hold the model
 */
export const writeModel = async (
  model: PortableModel,
  name: string,
  into: FolderWriter,
  options: WriteOptions = {},
): Promise<number> => {
  try {
    await checkHolds(model, name)
    const format = writableFormat(name)
    const written = withCommand(await heldBy(name, model, options), options.command)
    options.signal?.throwIfAborted()
    await into.writeText(
      CARD_FILE,
      modelCard({ ...written, parameters: format.forms?.(written) ?? written.parameters, format }),
    )
    await format.write(written, into, options)
    if (name !== awqFormat.name) await writeProvenance(written, name, into, options)
    options.signal?.throwIfAborted()
    return await into.commit()
  } catch (error) {
    await into.discard()
    throw error
  }
}

/** Options of `convert`. */
export interface ConvertOptions extends WriteOptions {
  /** Name of a format; default `awq`. */
  readonly format?: string | undefined
  /** Reads all files first and compares them with the hashes that are written down, where they are; default true. */
  readonly verify?: boolean | undefined
}

/**
 * Reads a folder of any known format and writes it in another, by moving integers. Returns the bytes written.
 * @throws AwqError INVALID_FILE for files that are damaged, and as `openPortable` and `writeModel`; nothing is left of the
 *   output then
 */
export const convert = async (
  folder: Folder,
  into: FolderWriter,
  { format = 'awq', verify = true, ...options }: ConvertOptions = {},
): Promise<number> => {
  let model: PortableModel
  try {
    if (verify) await checkFiles(folder, { signal: options.signal })
    model = await openPortable(folder, options)
  } catch (error) {
    await into.discard()
    throw error
  }
  await using opened = model
  return await writeModel(opened, format, into, options)
}
