/**
 * Reads a GGUF file: its metadata as config.json and tokenizer files, its tensors under our names.
 * @module
 */
import type { ModelDescription } from '@awq/models'
import { AwqError, type Folder, quoted, readFloat32, type TensorEntry } from '@awq/tensor'
import { describeConfig } from '../folder/config.ts'
import type { Parameter, PortableModel, ReadOptions } from '../model.ts'
import { sourceOf } from '../provenance.ts'
import { type GgufArchitecture, parameterName, permutedHeads, settingTensors } from './architectures.ts'
import { architectureOf, configOf, type RopeTensors } from './config.ts'
import { type Differences, ggufEntry, readRows } from './entries.ts'
import { type GgufFiles, openGgufFiles, type PlacedTensor } from './files.ts'
import { hasIntegers, isZeroPointed, readIntegers } from './integers.ts'
import { tokenizerTexts } from './tokenizer.ts'

/** A GGUF file under our names. */
export interface GgufModel {
  readonly files: GgufFiles
  readonly config: Readonly<Record<string, unknown>>
  readonly description: ModelDescription
  /** By our names. */
  readonly tensors: ReadonlyMap<string, GgufParameter>
  /** tokenizer.json, tokenizer_config.json and generation_config.json. */
  readonly texts: Readonly<Record<string, string>>
}

interface GgufParameter {
  readonly tensor: PlacedTensor
  readonly differences: Differences
  readonly entry: TensorEntry
}

/** More frequencies than any head has. */
const MAX_DIVISORS = 2 ** 16

const readDivisors = async (files: GgufFiles, name: string): Promise<Float32Array | undefined> => {
  const tensor = files.tensors.get(name)
  if (!tensor) return undefined
  const { shape } = tensor
  if (shape.length !== 1 || shape[0]! > MAX_DIVISORS) {
    throw new AwqError('INVALID_FILE', `${files.name}: tensor ${name} has the impossible shape [${shape.join(', ')}]`)
  }
  const divisors = await readFloat32(ggufEntry(name, tensor, { heads: null, offset: 0 }))
  if (divisors.every((divisor) => divisor > 0 && Number.isFinite(divisor))) return divisors
  throw new AwqError('INVALID_FILE', `${files.name}: tensor ${name} holds a number that divides no frequency`)
}

const settings: ReadonlySet<string> = new Set(Object.values(settingTensors))

const parametersOf = (
  files: GgufFiles,
  architecture: GgufArchitecture,
  { config }: ModelDescription,
): Map<string, GgufParameter> => {
  const parameters = new Map<string, GgufParameter>()
  for (const tensor of files.tensors.values()) {
    if (settings.has(tensor.name)) continue
    const name = parameterName(architecture, tensor.name)
    if (name === null) {
      throw new AwqError(
        'UNSUPPORTED',
        `${files.name}: the tensor ${quoted(tensor.name)} is none of a ${architecture.name} model's; leaving it out would ` +
          'give wrong output',
      )
    }
    const offset = /norm\.weight$/.test(name) ? architecture.normOffset : 0
    const differences = { heads: permutedHeads(architecture, name, config), offset }
    parameters.set(name, { tensor, differences, entry: ggufEntry(name, tensor, differences) })
  }
  return parameters
}

/**
 * Opens the GGUF file of a folder.
 * @throws AwqError UNSUPPORTED for families, tokenizers, blocks and tensors that are not read, naming them; INVALID_FILE for
 *   files that are damaged; CONFIG for dimensions that can not be
 */
export const openGguf = async (folder: Folder, options: ReadOptions = {}): Promise<GgufModel> => {
  const files = await openGgufFiles(folder, options)
  try {
    const architecture = architectureOf(files.name, files)
    const rope: RopeTensors = {
      frequencies: await readDivisors(files, settingTensors.frequencies),
      long: await readDivisors(files, settingTensors.long),
      short: await readDivisors(files, settingTensors.short),
    }
    const config = configOf(files.name, files, rope)
    const description = describeConfig(config, files.name)
    const tensors = parametersOf(files, architecture, description)
    return { files, config, description, tensors, texts: { ...tokenizerTexts(files.name, files) } }
  } catch (error) {
    await files.close()
    throw error
  }
}

/** Matrices that may be quantized: those of linears, and the tables. */
const matrixNames = ({ blocks, parameter, embedding, head }: ModelDescription): Set<string> => {
  const names = new Set([embedding, head])
  for (const [layer, { linears }] of blocks.entries())
    for (const { name } of linears) names.add(parameter(layer, `${name}.weight`))
  return names
}

/** Whether a tensor's integers can be moved. Q4_1 is looked into: most of its files end at the first block. */
const movable = async ({ tensor }: GgufParameter, options: ReadOptions): Promise<boolean> => {
  if (!hasIntegers(tensor.type)) return false
  if (tensor.type.name !== 'Q4_1') return true
  const [block] = [tensor.type.bytes]
  if (!isZeroPointed(await tensor.source.read(tensor.offset, block, options))) return false
  return isZeroPointed(await tensor.source.read(tensor.offset, tensor.length, options))
}

const quantized = ({ tensor, differences }: GgufParameter): Parameter => {
  const { type, source } = tensor
  const shape = tensor.shape as readonly [number, number]
  const symmetric = type.name !== 'Q4_1'
  return {
    kind: 'quantized',
    spec: { bits: /^Q4/.test(type.name) ? 4 : 8, groupSize: 32, symmetric },
    shape,
    denseColumns: 0,
    inputOrder: false,
    async read(options) {
      const matrix = readIntegers(await readRows(tensor, differences, options), type, shape)
      if (matrix) return matrix
      throw new AwqError(
        'INVALID_FILE',
        `${source.name} was changed while it was read: ${tensor.name} has no zero points now`,
      )
    },
  }
}

/** A line for every type of blocks whose numbers are read as floats. */
const tellDecoded = (decoded: ReadonlyMap<string, number>, { onWarning }: ReadOptions): void => {
  for (const [type, count] of decoded) {
    const why = type === 'Q4_1' || type === 'Q5_1' ? ': their minimums are no zero points' : ''
    onWarning?.(
      `${count} ${type} ${count === 1 ? 'matrix is' : 'matrices are'} read as the float32 numbers that ` +
        `${count === 1 ? 'it stands' : 'they stand'} for${why}; awq quantize makes integers of them`,
    )
  }
}

/** Opens a GGUF file as a model to convert. */
export const readGguf = async (folder: Folder, options: ReadOptions = {}): Promise<PortableModel> => {
  const { files, config, description, tensors, texts } = await openGguf(folder, options)
  const matrices = matrixNames(description)
  const parameters = new Map<string, Parameter>()
  const decoded = new Map<string, number>()
  try {
    for (const [name, parameter] of tensors) {
      const { tensor, entry } = parameter
      const whole = matrices.has(name) && tensor.shape.length === 2 && (await movable(parameter, options))
      parameters.set(name, whole ? quantized(parameter) : { kind: 'float', entry })
      if (!whole && tensor.type.decode) decoded.set(tensor.type.name, (decoded.get(tensor.type.name) ?? 0) + 1)
    }
  } catch (error) {
    await files.close()
    throw error
  }
  tellDecoded(decoded, options)
  const encoder = new TextEncoder()
  const title = files.metadata.get('general.name')
  const source = sourceOf(folder, description)
  return {
    name: folder.name,
    format: 'gguf',
    config,
    description,
    parameters,
    companions: new Map(Object.entries(texts).map(([file, text]) => [file, async () => encoder.encode(text)])),
    provenance: {
      method: 'gguf',
      folded: [],
      calibration: null,
      source: typeof title === 'string' && title !== '' ? { ...source, name: title } : source,
    },
    [Symbol.asyncDispose]: () => files.close(),
  }
}
