/**
 * What the files of a model are called: all that a reader of them asks for, beside shards and GGUF.
 * @module
 */

/** The manifest of a quantized store. */
export const manifestName = 'quantization.json'
/** Which shard has which tensor. */
export const indexName = 'model.safetensors.index.json'

/** All weights, where they are not in shards. */
export const weightsName = 'model.safetensors'

/** Names that a folder without a listing is asked for. */
export const knownModelFiles: readonly string[] = [
  'config.json',
  'generation_config.json',
  manifestName,
  'provenance.json',
  'quantize_config.json',
  'quant_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'tokenizer.model',
  'chat_template.jinja',
  'chat_template.json',
  'preprocessor_config.json',
  'processor_config.json',
  indexName,
  weightsName,
]
