import { parseIndex } from './checkpoint.ts'
import { AwqError, quoted } from './error.ts'
import { ggufNames, ggufSiblings } from './gguf-names.ts'

const index = 'model.safetensors.index.json'

/** What a model consists of beside its weights, where it has it. */
const wanted: readonly RegExp[] = [
  /^config\.json$/,
  /^generation_config\.json$/,
  /^(quantization|provenance|quantize_config|quant_config)\.json$/,
  /^tokenizer[^/]*\.json$/,
  /^(special_tokens_map|added_tokens|vocab)\.json$/,
  /^(merges\.txt|tokenizer\.model)$/,
  /^chat_template\.(jinja|json)$/,
  /^(pre)?processor_config\.json$/,
]

/** The files of a hub model that are needed: configuration, tokenizer and weights; small ones first. */
export async function modelFiles(files: readonly string[], readText: (file: string) => Promise<string>) {
  const small = files.filter((file) => wanted.some((pattern) => pattern.test(file)))
  return [...small, ...(await weightFiles(files, readText))]
}

/**
 * The weight files among `files`: all safetensors of a quantized model, else what `openCheckpoint` would open
 * (`model.safetensors`, or the index and its shards, or the only one), so that a second copy in another layout is not
 * fetched; without safetensors the GGUF file, or its pieces. Throws NOT_FOUND when there are none, INVALID_ARGUMENT for
 * several GGUF files.
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
  const [gguf, ...others] = ggufNames(files)
  if (gguf !== undefined) {
    const pieces = ggufSiblings(gguf, files)
    if (!gguf.includes('/') && others.every((file) => pieces.includes(file))) return pieces
    throw new AwqError('INVALID_ARGUMENT', `the model has several GGUF files, or one in a folder: ${chooseGguf(files)}`)
  }
  const other = files.some((file) => /\.(bin|pth|pt|onnx)$/.test(file))
  throw new AwqError('NOT_FOUND', `the model has no safetensors weights${other ? ', only other formats' : ''}`)
}

/** The GGUF files of a repository, as something to choose from. */
const chooseGguf = (files: readonly string[]): string => {
  const names = ggufNames(files)
  const told = names.slice(0, 12).map((file) => quoted(file))
  const more = names.length > told.length ? ` and ${names.length - told.length} more` : ''
  return `name one of them, as ORG/NAME/FILE; it has ${told.join(', ')}${more}`
}

/**
 * A GGUF file of a repository, or all pieces of what it is a piece of.
 * @throws AwqError NOT_FOUND naming those that the repository has
 */
export function ggufFiles(file: string, files: readonly string[]): string[] {
  const found = ggufSiblings(file, files)
  if (files.includes(file)) return found
  const others = ggufNames(files).length > 0 ? `; ${chooseGguf(files)}` : ', nor any GGUF file'
  throw new AwqError('NOT_FOUND', `the model has no file ${quoted(file)}${others}`)
}
