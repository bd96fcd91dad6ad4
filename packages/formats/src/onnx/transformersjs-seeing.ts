/**
 * Folders of models that see, for transformers.js 4: a graph that embeds tokens, one of tower and projector, and the decoder.
 * @module
 */
import { stepParameters } from '@awq/models'
import type { Graph } from '@awq/onnx'
import { type DescribedParameter, describedParameters, languageParameters } from '../check-model.ts'
import { visionNames, visionRoots } from '../file-names.ts'
import { writeCompanions } from '../folder/companions.ts'
import { isObject, type JsonObject } from '../folder/config.ts'
import { type FolderWriter, writeBytes } from '../folder/writer.ts'
import type { WriteOptions } from '../format.ts'
import type { PortableModel } from '../model.ts'
import { generationConfig, jsonText, textConfig, tokenizerConfig } from './config-fields.ts'
import { emitExported, emitExportedEmbedding, emitExportedVision, type GraphRequest } from './decoder-graph.ts'
import { planWeights, writeWeights } from './decoder-weights.ts'
import { contextWarnings, onnxProblems } from './onnx-problems.ts'
import { processorFiles } from './processor-files.ts'
import { commonBits, MAX_FILE_BYTES, VARIANTS, type Variant, variantFile } from './variants.ts'

/** Its classes of models that see (release 4.3.1), by the `model_type`s of the families here. */
const CLASSES: Readonly<Record<string, string>> = {
  llava: 'LlavaForConditionalGeneration',
  qwen2_vl: 'Qwen2VLForConditionalGeneration',
  qwen2_5_vl: 'Qwen2_5_VLForConditionalGeneration',
  idefics3: 'Idefics3ForConditionalGeneration',
  smolvlm: 'SmolVLMForConditionalGeneration',
  gemma3: 'Gemma3ForConditionalGeneration',
  paligemma: 'PaliGemmaForConditionalGeneration',
}

/** Whether a model has what it takes to see. */
export const seesHere = (model: PortableModel): boolean => visionRoots(model).length > 0

/** Why transformers.js cannot run a model that sees. */
export const seeingProblems = (model: PortableModel): string[] => {
  const { config, sequence } = model.description
  const known = Object.hasOwn(CLASSES, config.modelType)
    ? []
    : [`transformers.js has no class for models of model_type ${config.modelType}`]
  const learned = sequence.learned
    ? ['learned positions are looked up where tokens are embedded, which it does apart']
    : []
  return [...known, ...learned, ...onnxProblems(model)]
}

/** One of its sessions. */
interface Session {
  readonly name: string
  readonly parameters: readonly DescribedParameter[]
  readonly emit: (request: Omit<GraphRequest, 'port' | 'experts'>) => Graph
}

const sessionsOf = (model: PortableModel, tile: readonly [number, number] | undefined): Session[] => {
  const { embedding, head, outer } = model.description
  const seeing = visionNames(model.description)
  const language = languageParameters(model)
  const embeds = new Set([embedding, ...outer.embed.steps.flatMap(stepParameters).map(({ name }) => name)])
  return [
    {
      name: 'embed_tokens',
      parameters: language.filter(({ spec }) => embeds.has(spec.name)),
      emit: emitExportedEmbedding,
    },
    {
      name: 'vision_encoder',
      parameters: describedParameters(model).filter(({ spec }) => seeing.has(spec.name)),
      emit: (request) => emitExportedVision(request, tile),
    },
    {
      name: 'decoder_model_merged',
      // A tied table lies beside both: files of external data belong to one graph.
      parameters: language.filter(({ spec }) => !embeds.has(spec.name) || spec.name === head),
      emit: (request) =>
        // Graphs also run on WebGPU, whose kernels take no empty values.
        emitExported({ ...request, port: { padding: 'left', logits: 'kept', embeds: true }, experts: 'spare' }),
    },
  ]
}

/** Writes a session's graphs, one for each variant, over the same weights. Returns the number of their files. */
const writeSession = async (
  model: PortableModel,
  { name, parameters, emit }: Session,
  variants: readonly Variant[],
  into: FolderWriter,
  options: WriteOptions,
): Promise<number> => {
  const [first, ...others] = variants as [Variant, ...Variant[]]
  const fileOf = (variant: Variant): string => variantFile(name, variant)
  const weights = await planWeights(model, `${fileOf(first)}_data`, MAX_FILE_BYTES, options, parameters)
  await writeWeights(weights, into, 'onnx/', options)
  for (const variant of variants) {
    const graph = emit({
      description: model.description,
      table: weights.table,
      locate: (file) => file.replace(fileOf(first), fileOf(variant)),
      dtype: variant.activations,
      accuracy: options.accuracy,
    })
    await writeBytes(into, `onnx/${fileOf(variant)}`, graph.toBytes())
  }
  // The same bytes, under the names that each variant's files must have.
  for (const other of others)
    for (const { name: file } of weights.plan.files)
      await into.linkFile(`onnx/${file.replace(fileOf(first), fileOf(other))}`, `onnx/${file}`)
  return weights.plan.files.length
}

/** What it reads of the language model, which files leave out where transformers has defaults. */
const languageFields = ({ config: { layers, heads, kvHeads, headDim, hiddenSize } }: PortableModel['description']) => ({
  num_hidden_layers: layers,
  num_attention_heads: heads,
  num_key_value_heads: kvHeads,
  head_dim: headDim,
  hidden_size: hiddenSize,
})

/** `model_type` of the language model, where the file of the whole has it beside the other fields, or has none. */
const LANGUAGES: Readonly<Record<string, string>> = {
  qwen2_vl: 'qwen2_vl_text',
  qwen2_5_vl: 'qwen2_5_vl_text',
  gemma3: 'gemma3_text',
  paligemma: 'gemma',
}

const configOf = ({ config, description }: PortableModel, variants: readonly Variant[], chunks: JsonObject) => {
  const { modelType } = description.config
  const { imageTokenId } = description.vision!
  const text = isObject(config.text_config) ? config.text_config : {}
  const fields = languageFields(description)
  const half = variants.filter(({ activations }) => activations === 'float16')
  return {
    vision_start_token_id: 151652,
    architectures: [CLASSES[modelType]],
    ...config,
    // One family's fields are read beside the others, whichever way its files have them.
    ...(modelType === 'qwen2_vl' ? { ...textConfig(config), ...fields, model_type: modelType } : {}),
    text_config: {
      ...(modelType.startsWith('qwen') ? { ...config, vision_config: undefined } : {}),
      model_type: LANGUAGES[modelType] ?? 'llama',
      ...text,
      ...fields,
    },
    image_token_id: imageTokenId,
    image_token_index: imageTokenId,
    'transformers.js_config': {
      dtype: variants[0]!.dtype,
      ...(half.length > 0 ? { kv_cache_dtype: Object.fromEntries(half.map(({ dtype }) => [dtype, 'float16'])) } : {}),
      use_external_data_format: chunks,
    },
  }
}

/** Writes the folder. */
export const writeSeeing = async (model: PortableModel, into: FolderWriter, options: WriteOptions): Promise<void> => {
  for (const line of contextWarnings(model)) options.onWarning?.(line)
  const variants = VARIANTS[commonBits(model)]!
  const { files, tile } = await processorFiles(model)
  const chunks: Record<string, number> = {}
  for (const session of sessionsOf(model, tile)) {
    const count = await writeSession(model, session, variants, into, options)
    for (const variant of variants) chunks[variantFile(session.name, variant)] = count
  }
  const tokenizer = await tokenizerConfig(model)
  const own: ReadonlyMap<string, unknown> = new Map<string, unknown>([
    ...files,
    ...(tokenizer ? [['tokenizer_config.json', tokenizer] as const] : []),
    ['generation_config.json', await generationConfig(model)],
    ['config.json', configOf(model, variants, chunks)],
  ])
  await writeCompanions(model, into, [...own.keys()])
  for (const [file, value] of own) await into.writeText(file, typeof value === 'string' ? value : jsonText(value))
}
