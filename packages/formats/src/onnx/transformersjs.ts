/**
 * Folders that transformers.js 4 loads.
 * @module
 */
import type { ActivationType } from '@awq/models'
import { layoutOf } from '@awq/onnx'
import { writeCompanions } from '../folder/companions.ts'
import { type FolderWriter, writeBytes } from '../folder/writer.ts'
import type { Format } from '../format.ts'
import { isTable } from '../matrix-names.ts'
import type { PortableModel } from '../model.ts'
import { generationConfig, jsonText, textConfig, tokenizerConfig } from './config-fields.ts'
import { emitExported } from './decoder-graph.ts'
import { planWeights, writeWeights } from './decoder-weights.ts'
import { contextWarnings, onnxProblems } from './onnx-problems.ts'

/** `model_type`s of the families here that its registry of causal language models has (release 4.3.1). */
const FAMILIES: ReadonlySet<string> = new Set([
  ...[
    'bloom',
    'cohere',
    'cohere2',
    'deepseek_v3',
    'falcon',
    'gemma',
    'gemma2',
    'gemma3',
    'gemma3_text',
    'gpt2',
    'gpt_neox',
  ],
  ...['gpt_oss', 'granite', 'llama', 'mistral', 'mpt', 'olmo', 'olmo2', 'opt', 'phi', 'phi3', 'qwen2', 'qwen2_moe'],
  ...['qwen3', 'qwen3_moe', 'smollm3', 'stablelm', 'starcoder2'],
])

/** Files of external data: browsers hold no more than 2 GB in one buffer. */
const MAX_FILE_BYTES = 2_000_000_000

/** One of the files that users choose between by `dtype`. */
interface Variant {
  /** What transformers.js calls it. */
  readonly dtype: string
  readonly file: string
  readonly activations: ActivationType
}

const variant = (dtype: string, suffix: string, activations: ActivationType): Variant => ({
  dtype,
  file: `model${suffix}.onnx`,
  activations,
})

/** By the bits that codes are stored in; 0 for a model of floats. transformers.js has no name for 8 bits with float16. */
const VARIANTS: Readonly<Record<number, readonly Variant[]>> = {
  0: [variant('fp32', '', 'float32'), variant('fp16', '_fp16', 'float16')],
  2: [variant('q2', '_q2', 'float32'), variant('q2f16', '_q2f16', 'float16')],
  4: [variant('q4', '_q4', 'float32'), variant('q4f16', '_q4f16', 'float16')],
  8: [variant('q8', '_quantized', 'float32')],
}

/** The bits that most weights of the blocks are stored in; those of all matrices where none of a block is quantized. */
const commonBits = (model: PortableModel): number => {
  const weights = new Map<number, number>([[0, 0]])
  for (const [name, parameter] of model.parameters) {
    if (parameter.kind === 'float') continue
    const { shape, spec } = parameter
    const { storedBits } = layoutOf({ ...spec, shape })
    const share = isTable(model, name) ? 1e-9 : 1
    weights.set(storedBits, (weights.get(storedBits) ?? 0) + share * shape[0] * shape[1])
  }
  return [...weights].reduce((most, one) => (one[1] > most[1] ? one : most))[0]
}

/** Classes of language models that are parts of others, by the latter's `model_type`. */
const PARTS: Readonly<Record<string, object>> = {
  gemma3: { model_type: 'gemma3_text', architectures: ['Gemma3ForCausalLM'] },
}

/** What it calls the number of layers, where that is not `num_hidden_layers`. */
const LAYERS: Readonly<Record<string, string>> = { bloom: 'n_layer', gpt2: 'n_layer', mpt: 'n_layers' }

/**
 * config.json as transformers.js wants it: that of the language model, and which files there are. It takes `multi_query`
 * for keys and values in one tensor, whatever the family.
 */
const configOf = ({ config, description }: PortableModel, variants: readonly Variant[], chunks: number) => {
  const { modelType, layers } = description.config
  const half = variants.filter(({ activations }) => activations === 'float16')
  return {
    ...textConfig(config),
    ...PARTS[modelType],
    [LAYERS[modelType] ?? 'num_hidden_layers']: layers,
    ...('multi_query' in config ? { multi_query: false } : {}),
    'transformers.js_config': {
      dtype: variants[0]!.dtype,
      ...(half.length > 0 ? { kv_cache_dtype: Object.fromEntries(half.map(({ dtype }) => [dtype, 'float16'])) } : {}),
      use_external_data_format: Object.fromEntries(variants.map(({ file }) => [file, chunks])),
    },
  }
}

const problems = (model: PortableModel): string[] => {
  const { modelType } = model.description.config
  const family = FAMILIES.has(modelType) ? [] : [`transformers.js has no model_type ${modelType}`]
  return [...family, ...onnxProblems(model)]
}

const writeJson = (into: FolderWriter, file: string, value: unknown) => into.writeText(file, jsonText(value))

const write: NonNullable<Format['write']> = async (model, into, options = {}) => {
  const { description } = model
  const variants = VARIANTS[commonBits(model)]!
  for (const line of contextWarnings(model)) options.onWarning?.(line)
  const [first, ...others] = variants as [Variant, ...Variant[]]
  const weights = await planWeights(model, `${first.file}_data`, MAX_FILE_BYTES, options)
  await writeWeights(weights, into, 'onnx/', options)
  for (const { file, activations } of variants) {
    const renamed = (name: string): string => name.replace(first.file, file)
    const graph = emitExported({
      description,
      table: weights.table,
      locate: renamed,
      dtype: activations,
      port: { padding: 'left', logits: 'kept' },
      // Graphs also run on WebGPU, whose kernels take no empty values.
      experts: 'spare',
      accuracy: options.accuracy,
    })
    await writeBytes(into, `onnx/${file}`, graph.toBytes())
  }
  // The same bytes, under the names that each variant's files must have.
  for (const { file } of others)
    for (const { name } of weights.plan.files)
      await into.linkFile(`onnx/${name.replace(first.file, file)}`, `onnx/${name}`)
  const tokenizer = await tokenizerConfig(model)
  await writeCompanions(model, into, ['generation_config.json', ...(tokenizer ? ['tokenizer_config.json'] : [])])
  if (tokenizer) await writeJson(into, 'tokenizer_config.json', tokenizer)
  await writeJson(into, 'generation_config.json', await generationConfig(model))
  await writeJson(into, 'config.json', configOf(model, variants, weights.plan.files.length))
}

/** `onnx/model_q4.onnx` and its like, for browsers and Node. */
export const transformersjsFormat: Format = {
  name: 'transformersjs',
  title: 'an ONNX folder for transformers.js 4',
  takesAccuracy: true,
  usage: [
    '```js',
    "import { pipeline } from '@huggingface/transformers'",
    '',
    "const generate = await pipeline('text-generation', 'OUT')",
    '```',
  ].join('\n'),
  problems,
  write,
}
