/**
 * What a folder holds, read from its small files and the sizes of its large ones.
 * @module
 */
import { describeModel, type ModelDescription, modelParameters, readModelConfig } from '@awq/models'
import type { Folder } from '@awq/tensor'

export interface ModelFacts {
  readonly family: string
  readonly layers: number
  readonly hiddenSize: number
  readonly parameters: number
  /** Of the float weights. */
  readonly bytes: number
  /** Of the tokenizer, which goes along as it is. */
  readonly tokenizerBytes: number
  /** Values in matrices of the blocks, in the tables of embedding and head, and in all else. */
  readonly counts: { readonly linears: number; readonly tables: number; readonly rest: number }
}

const product = (shape: readonly number[]): number => shape.reduce((all, size) => all * size, 1)

const countsOf = ({ blocks, config }: ModelDescription, parameters: number): ModelFacts['counts'] => {
  const linears = blocks
    .flatMap(({ linears }) => linears)
    .filter(({ float }) => !float)
    .reduce((sum, { shape }) => sum + product(shape), 0)
  const tables = config.vocabSize * config.hiddenSize * (config.tiedEmbeddings ? 1 : 2)
  return { linears, tables, rest: Math.max(0, parameters - linears - tables) }
}

/** @throws AwqError for a folder that has no model, one of a family that is not known, or one that is quantized already */
export const readFacts = async (folder: Folder): Promise<ModelFacts> => {
  if (await folder.has('quantization.json'))
    throw new Error(`${folder.name} is quantized already: choose the float model that it was made of`)
  const description = describeModel((await readModelConfig(folder)).json)
  let parameters = 0
  for (const { shape } of modelParameters(description)) parameters += product(shape)
  let bytes = 0
  for (const file of await folder.list()) if (file.endsWith('.safetensors')) bytes += (await folder.open(file)).size
  const tokenizer = 'tokenizer.json'
  const tokenizerBytes = (await folder.has(tokenizer)) ? (await folder.open(tokenizer)).size : 0
  const { modelType, layers, hiddenSize } = description.config
  return {
    family: modelType,
    layers,
    hiddenSize,
    parameters,
    bytes,
    tokenizerBytes,
    counts: countsOf(description, parameters),
  }
}

/** Bytes of the quantized model: its tables in 8 bits, codes, a scale and a zero point for each group; and its tokenizer. */
export const estimatedBytes = ({ counts, tokenizerBytes }: ModelFacts, bits: number, groupSize: number): number => {
  const stored = bits === 3 ? 4 : bits
  const bitsOfAll =
    counts.linears * (stored + (16 + stored) / groupSize) + counts.tables * (8 + 16 / 128) + counts.rest * 16
  return bitsOfAll / 8 + tokenizerBytes
}
