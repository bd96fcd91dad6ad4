/**
 * Folders that onnxruntime-genai loads.
 * @module
 */
import type { ModelDescription } from '@awq/models'
import { writeCompanions } from '../folder/companions.ts'
import type { JsonObject } from '../folder/config.ts'
import { writeBytes } from '../folder/writer.ts'
import type { Format } from '../format.ts'
import type { PortableModel } from '../model.ts'
import { generationConfig, jsonText, textConfig, tokenizerConfig } from './config-fields.ts'
import { emitExported, exportedAttention } from './decoder-graph.ts'
import { planWeights, writeWeights } from './decoder-weights.ts'
import { exportedPositions } from './exported-port.ts'
import { contextWarnings, onnxProblems } from './onnx-problems.ts'

/** Its names of families, where they are others than `model_type`. */
const TYPES: Readonly<Record<string, string>> = { gemma3: 'gemma3_text', gpt_oss: 'gptoss' }

/** Families that it has a name for (release 0.18). */
const FAMILIES: ReadonlySet<string> = new Set([
  ...['gemma', 'gemma2', 'gemma3_text', 'gptoss', 'granite', 'internlm2', 'llama', 'mistral', 'olmo', 'phi', 'phi3'],
  ...['qwen2', 'qwen3', 'smollm3'],
])

/** The name for a family: `decoder`, its name for any decoder, where there is no other. GPT-2's is for another cache. */
export const genaiType = (modelType: string): string => {
  const type = TYPES[modelType] ?? modelType
  return FAMILIES.has(type) ? type : 'decoder'
}

const MODEL_FILE = 'model.onnx'

/** Files of external data: one, as its own exporter writes, as far as offsets are exact. */
const MAX_FILE_BYTES = Number.MAX_SAFE_INTEGER

/** Ids of tokens, from the first of some objects that has them. */
const idsOf = (field: string, sources: readonly JsonObject[]): readonly number[] => {
  for (const source of sources) {
    const value = source[field]
    const ids = (Array.isArray(value) ? value : [value]).filter((id) => Number.isSafeInteger(id))
    if (ids.length > 0) return ids as number[]
  }
  return []
}

const one = (ids: readonly number[]): number | readonly number[] | undefined => (ids.length === 1 ? ids[0] : ids)

const searchOf = (generation: JsonObject, contextLength: number, shared: boolean): JsonObject => {
  const number = (field: string, fallback: number): number => {
    const value = generation[field]
    return typeof value === 'number' && Number.isFinite(value) ? value : fallback
  }
  return {
    do_sample: generation.do_sample === true,
    max_length: contextLength,
    min_length: 0,
    num_beams: 1,
    num_return_sequences: 1,
    past_present_share_buffer: shared,
    repetition_penalty: number('repetition_penalty', 1),
    temperature: number('temperature', 1),
    top_k: number('top_k', 50),
    top_p: number('top_p', 1),
  }
}

const cacheOf = ({ blocks }: ModelDescription) => blocks[0]!.attention

/** genai_config.json. */
export const genaiConfig = (model: PortableModel, generation: JsonObject, inputs: readonly string[]): JsonObject => {
  const { description } = model
  const { config } = description
  const sources = [generation, model.config, textConfig(model.config)]
  const contextLength = exportedPositions(description)
  const [bos, eos, pad] = ['bos_token_id', 'eos_token_id', 'pad_token_id'].map((field) => idsOf(field, sources))
  const { headDim, kvHeads } = cacheOf(description)
  const names = Object.fromEntries(
    ['input_ids', 'attention_mask', 'position_ids'].filter((name) => inputs.includes(name)).map((name) => [name, name]),
  )
  return {
    model: {
      bos_token_id: bos![0] ?? 1,
      eos_token_id: one(eos!.length > 0 ? eos! : [bos![0] ?? 1]),
      pad_token_id: pad![0] ?? eos![0] ?? 0,
      context_length: contextLength,
      type: genaiType(config.modelType),
      vocab_size: config.vocabSize,
      decoder: {
        filename: MODEL_FILE,
        session_options: { log_id: 'onnxruntime-genai', provider_options: [] },
        head_size: headDim,
        hidden_size: config.hiddenSize,
        num_attention_heads: config.heads,
        num_hidden_layers: config.layers,
        num_key_value_heads: kvHeads,
        inputs: { ...names, past_key_names: 'past_key_values.%d.key', past_value_names: 'past_key_values.%d.value' },
        outputs: { logits: 'logits', present_key_names: 'present.%d.key', present_value_names: 'present.%d.value' },
      },
    },
    search: searchOf(generation, contextLength, exportedAttention(description) === 'fused'),
  }
}

const problems = (model: PortableModel): string[] => {
  const { modelType } = model.description.config
  const wide = model.description.blocks.some(({ attention: { headDim, valueDim = headDim } }) => valueDim !== headDim)
  return [
    ...(wide ? [`${modelType}: its keys and values have different widths, and onnxruntime-genai keeps one`] : []),
    ...onnxProblems(model),
  ]
}

const write: NonNullable<Format['write']> = async (model, into, options = {}) => {
  const { description } = model
  for (const line of contextWarnings(model)) options.onWarning?.(line)
  const weights = await planWeights(model, `${MODEL_FILE}.data`, MAX_FILE_BYTES, options)
  await writeWeights(weights, into, '', options)
  const graph = emitExported({
    description,
    table: weights.table,
    dtype: 'float32',
    port: { padding: 'right', logits: 'all' },
    experts: 'chosen',
    accuracy: options.accuracy,
  })
  await writeBytes(into, MODEL_FILE, graph.toBytes())
  const generation = await generationConfig(model)
  const tokenizer = await tokenizerConfig(model)
  await writeCompanions(model, into, ['generation_config.json', ...(tokenizer ? ['tokenizer_config.json'] : [])])
  if (tokenizer) await into.writeText('tokenizer_config.json', jsonText(tokenizer))
  await into.writeText('generation_config.json', jsonText(generation))
  await into.writeText('config.json', jsonText(model.config))
  const inputs = graph.inputs.map(({ name }) => name)
  await into.writeText('genai_config.json', jsonText(genaiConfig(model, generation, inputs)))
}

/** `model.onnx` and `genai_config.json`, for onnxruntime-genai on CPUs. */
export const genaiFormat: Format = {
  name: 'genai',
  title: 'an ONNX folder for onnxruntime-genai',
  takesAccuracy: true,
  usage: [
    '```python',
    'import onnxruntime_genai as og',
    '',
    "model = og.Model('OUT')",
    'tokenizer = og.Tokenizer(model)',
    '```',
  ].join('\n'),
  problems,
  write,
}
