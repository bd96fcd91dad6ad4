/**
 * The language model inside a model that sees: another family's table, under the names of these checkpoints.
 * @module
 */
import type { FindArchitecture, ModelTable } from '../architecture.ts'
import { type ConfigReader, readConfig } from '../config-reader.ts'

/** What transformers fills in where files leave a language model's dimensions out, as those of the first LLaVA do. */
const defaults: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  llama: {
    ...{ hidden_size: 4096, intermediate_size: 11008, num_hidden_layers: 32, num_attention_heads: 32 },
    vocab_size: 32000,
  },
  mistral: {
    ...{ hidden_size: 4096, intermediate_size: 14336, num_hidden_layers: 32, num_attention_heads: 32 },
    ...{ num_key_value_heads: 8, vocab_size: 32000 },
  },
  qwen2: {
    ...{ hidden_size: 4096, intermediate_size: 22016, num_hidden_layers: 32, num_attention_heads: 32 },
    ...{ num_key_value_heads: 32, vocab_size: 151936 },
  },
  gemma: {
    ...{ hidden_size: 3072, intermediate_size: 24576, num_hidden_layers: 28, num_attention_heads: 16 },
    ...{ num_key_value_heads: 16, vocab_size: 256000 },
  },
  gemma2: {
    ...{ hidden_size: 2304, intermediate_size: 9216, num_hidden_layers: 26, num_attention_heads: 8 },
    ...{ num_key_value_heads: 4, vocab_size: 256000 },
  },
}

/** How a family's language model is found. */
export interface LanguagePart {
  /** `model_type` of the whole. */
  readonly modelType: string
  /** `model_type` of the language model where `text_config` has none. */
  readonly kind: string
  /** Fields of `text_config` that say nothing here. */
  readonly without?: readonly string[] | undefined
  /** Whether head and embedding are one table, by the whole's file and the language model's. */
  readonly tied: (whole: ConfigReader, part: boolean) => boolean
  /** Beginnings of names, each of the base model and each of the head; the first is that of transformers' files. */
  readonly names: { readonly base: readonly string[]; readonly head?: readonly string[] | undefined }
}

/**
 * The language model's table, by the `model_type` of `text_config`.
 * @throws AwqError `CONFIG` without `text_config`; `UNSUPPORTED` for a language model that is not known
 */
export const languagePart = (reader: ConfigReader, find: FindArchitecture, part: LanguagePart): ModelTable => {
  const given = reader.raw('text_config')
  if (typeof given !== 'object' || given === null) return reader.reject('text_config', 'an object')
  const kind = reader.object('text_config')!.text('model_type', part.kind)
  const without = Object.fromEntries((part.without ?? []).map((field) => [field, undefined]))
  const table = find(kind).model(readConfig({ ...defaults[kind], ...given, ...without }, 'text_config.'), kind, find)
  const { prefix = '', aliases = {} } = table
  const { base, head = [] } = part.names
  return {
    ...table,
    config: {
      ...table.config,
      modelType: part.modelType,
      tiedEmbeddings: part.tied(reader, table.config.tiedEmbeddings),
    },
    fileNames: { ...(head[0] ? { [`${table.outer.head}.`]: head[0] } : {}), [prefix]: base[0]! },
    aliases: {
      ...Object.fromEntries(head.map((name) => [name, `${table.outer.head}.`])),
      ...Object.fromEntries(base.map((name) => [name, prefix])),
      ...aliases,
    },
  }
}
