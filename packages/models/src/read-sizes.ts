/**
 * The dimensions in a `config.json`.
 * @module
 */
import type { ModelConfig } from './config.ts'
import type { ConfigReader } from './config-reader.ts'

/** What a family's dimensions are where `config.json` leaves them out. */
export interface SizeDefaults {
  readonly hiddenSize?: number | undefined
  readonly intermediateSize?: number | undefined
  /** Width of the MLP in units of the hidden size, where `intermediateSize` is not given. */
  readonly intermediateFactor?: number | undefined
  readonly layers?: number | undefined
  readonly heads?: number | undefined
  readonly kvHeads?: number | undefined
  readonly headDim?: number | undefined
  readonly vocabSize?: number | undefined
  readonly contextLength?: number | undefined
  readonly tied?: boolean | undefined
}

/** What a family calls its dimensions; the names that most families use are understood too. */
export interface SizeFields {
  readonly hiddenSize?: string
  readonly heads?: string
  readonly layers?: string
  readonly intermediateSize?: string
  readonly contextLength?: string
}

const common: Required<SizeFields> = {
  hiddenSize: 'hidden_size',
  heads: 'num_attention_heads',
  layers: 'num_hidden_layers',
  intermediateSize: 'intermediate_size',
  contextLength: 'max_position_embeddings',
}

/**
 * Reads the dimensions.
 * @throws AwqError `CONFIG` for a missing or impossible one
 */
export const readSizes = (
  reader: ConfigReader,
  modelType: string,
  defaults: SizeDefaults = {},
  fields: SizeFields = {},
): ModelConfig => {
  const size = (dimension: keyof SizeFields, fallback?: number): number => {
    const own = fields[dimension] ?? common[dimension]
    return reader.size(reader.has(own) || !reader.has(common[dimension]) ? own : common[dimension], fallback)
  }
  const heads = size('heads', defaults.heads)
  const hiddenSize = size('hiddenSize', defaults.hiddenSize)
  const { intermediateFactor: factor } = defaults
  return {
    modelType,
    hiddenSize,
    embeddingSize: hiddenSize,
    intermediateSize: size('intermediateSize', factor === undefined ? defaults.intermediateSize : factor * hiddenSize),
    layers: size('layers', defaults.layers),
    heads,
    kvHeads: reader.size('num_key_value_heads', defaults.kvHeads ?? heads),
    headDim: reader.size('head_dim', defaults.headDim ?? Math.floor(hiddenSize / heads)),
    vocabSize: reader.size('vocab_size', defaults.vocabSize),
    contextLength: size('contextLength', defaults.contextLength ?? 2048),
    tiedEmbeddings: reader.flag('tie_word_embeddings', defaults.tied ?? false),
  }
}
