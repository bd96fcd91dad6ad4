/**
 * The small files that go along with a model, whatever its format: tokenizer and generation settings, and what becomes of images.
 * @module
 */
import { AwqError, type Folder } from '@awq/tensor'
import type { PortableModel } from '../model.ts'
import { type FolderWriter, writeBytes } from './writer.ts'

/** Copied from a model's folder when they are there. */
export const COMPANIONS: readonly string[] = [
  'generation_config.json',
  'tokenizer.json',
  'tokenizer.model',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'chat_template.jinja',
  'chat_template.json',
  'preprocessor_config.json',
  'processor_config.json',
]

/** Largest that is copied; the tokenizers of the largest vocabularies have some 40 MB. */
const MAX_BYTES = 2 ** 28

/** The companions of a folder, read when they are asked for. */
export const folderCompanions = async (folder: Folder): Promise<PortableModel['companions']> => {
  const companions = new Map<string, () => Promise<Uint8Array>>()
  for (const file of COMPANIONS) if (await folder.has(file)) companions.set(file, () => readCompanion(folder, file))
  return companions
}

const readCompanion = async (folder: Folder, file: string): Promise<Uint8Array> => {
  const source = await folder.open(file)
  try {
    if (source.size > MAX_BYTES)
      throw new AwqError('INVALID_FILE', `${source.name} has ${source.size} bytes, more than the ${MAX_BYTES} allowed`)
    return await source.read(0, source.size)
  } finally {
    await source.close?.()
  }
}

/** The text of a companion; undefined where the model has none. */
export const companionText = async ({ companions }: PortableModel, file: string): Promise<string | undefined> => {
  const bytes = await companions.get(file)?.()
  return bytes && new TextDecoder().decode(bytes)
}

/** Writes a model's companions. @param except names that the format writes itself */
export const writeCompanions = async (
  { companions }: PortableModel,
  into: FolderWriter,
  except: readonly string[] = [],
): Promise<void> => {
  for (const [name, read] of companions) {
    if (except.includes(name)) continue
    await writeBytes(into, name, await read())
  }
}
