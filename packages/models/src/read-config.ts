/**
 * The `config.json` of a model's folder.
 * @module
 */
import { AwqError, type Folder, parseJson } from '@awq/tensor'

/** Longest `config.json` that is read; real ones have a few KB. */
const MAX_BYTES = 2 ** 24

/**
 * Reads `config.json`: its text, and the JSON that `describeModel` takes.
 * @throws AwqError `NOT_FOUND` when the folder has none, `INVALID_FILE` when it is not JSON
 */
export const readModelConfig = async (folder: Folder): Promise<{ text: string; json: unknown }> => {
  if (!(await folder.has('config.json')))
    throw new AwqError(
      'NOT_FOUND',
      `${folder.name} has no config.json; a model is a folder with config.json, tokenizer.json and *.safetensors`,
    )
  const text = await folder.readText('config.json', { maxBytes: MAX_BYTES })
  return { text, json: parseJson(text, `${folder.name}/config.json`) }
}
