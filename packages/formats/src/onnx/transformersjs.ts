/**
 * Folders that transformers.js 4 loads.
 * @module
 */
import { writeCompanions } from '../folder/companions.ts'
import { type FolderWriter, writeBytes } from '../folder/writer.ts'
import type { Format } from '../format.ts'
import type { PortableModel } from '../model.ts'
import { generationConfig, jsonText, textConfig, tokenizerConfig } from './config-fields.ts'
import { emitExported } from './decoder-graph.ts'
import { planWeights, writeWeights } from './decoder-weights.ts'
import { contextWarnings, onnxProblems } from './onnx-problems.ts'
import { seeingProblems, seesHere, writeSeeing } from './transformersjs-seeing.ts'
import { commonBits, MAX_FILE_BYTES, VARIANTS, type Variant, variantFile } from './variants.ts'

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
      use_external_data_format: Object.fromEntries(variants.map((one) => [variantFile('model', one), chunks])),
    },
  }
}

const problems = (model: PortableModel): string[] => {
  const { modelType } = model.description.config
  if (seesHere(model)) return seeingProblems(model)
  const family = FAMILIES.has(modelType) ? [] : [`transformers.js has no model_type ${modelType}`]
  return [...family, ...onnxProblems(model)]
}

const writeJson = (into: FolderWriter, file: string, value: unknown) => into.writeText(file, jsonText(value))

const write: NonNullable<Format['write']> = async (model, into, options = {}) => {
  if (seesHere(model)) return writeSeeing(model, into, options)
  const { description } = model
  const variants = VARIANTS[commonBits(model)]!
  for (const line of contextWarnings(model)) options.onWarning?.(line)
  const [first, ...others] = variants as [Variant, ...Variant[]]
  const weights = await planWeights(model, `${variantFile('model', first)}_data`, MAX_FILE_BYTES, options)
  await writeWeights(weights, into, 'onnx/', options)
  const fileOf = (one: Variant): string => variantFile('model', one)
  for (const one of variants) {
    const [file, { activations }] = [fileOf(one), one]
    const renamed = (name: string): string => name.replace(fileOf(first), file)
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
  for (const other of others)
    for (const { name } of weights.plan.files)
      await into.linkFile(`onnx/${name.replace(fileOf(first), fileOf(other))}`, `onnx/${name}`)
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
  sees: true,
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
