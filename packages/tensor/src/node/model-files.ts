import { parseIndex } from '../checkpoint.ts'
import { AwqError } from '../error.ts'

const index = 'model.safetensors.index.json'

/** What a model consists of beside its weights, where it has it. */
const wanted: readonly RegExp[] = [
  /^config\.json$/,
  /^generation_config\.json$/,
  /^(quantization|provenance|quantize_config|quant_config)\.json$/,
  /^tokenizer[^/]*\.json$/,
  /^special_tokens_map\.json$/,
  /^chat_template\.(jinja|json)$/,
]

/** The files of a hub model that are needed: configuration, tokenizer and weights; small ones first. */
export async function modelFiles(files: readonly string[], readText: (file: string) => Promise<string>) {
  const small = files.filter((file) => wanted.some((pattern) => pattern.test(file)))
  return [...small, ...(await weightFiles(files, readText))]
}

/**
 * The weight files among `files`: all safetensors of a quantized model, else what `openCheckpoint` would open
 * (`model.safetensors`, or the index and its shards, or the only one), so that a second copy in another layout is not
 * fetched. Throws NOT_FOUND when there are none.
 */
export async function weightFiles(
  files: readonly string[],
  readText: (file: string) => Promise<string>,
): Promise<string[]> {
  const all = files.filter((file) => /^[^/]*\.safetensors$/.test(file))
  if (files.includes('quantization.json') && all.length > 0) return all
  if (all.includes('model.safetensors')) return ['model.safetensors']
  if (files.includes(index)) {
    const shards = new Set(parseIndex(await readText(index), index).values())
    return [index, ...[...shards].sort()]
  }
  if (all.length > 0) return all
  const other = files.some((file) => /\.(bin|pth|pt|gguf|onnx)$/.test(file))
  throw new AwqError('NOT_FOUND', `the model has no safetensors weights${other ? ', only other formats' : ''}`)
}
