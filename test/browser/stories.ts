/**
 * The model of the examples, in a page.
 * @module
 */
import { type Folder, httpSource, memoryFolder } from '@awq/tensor'

const FILES = ['config.json', 'model.safetensors', 'tokenizer.json', 'generation_config.json', 'tokenizer_config.json']

/** Its files, as a page has them that downloaded them. */
export const storiesFiles = async (): Promise<Record<string, Uint8Array>> => {
  const files: Record<string, Uint8Array> = {}
  for (const file of FILES) {
    const source = await httpSource(new URL(`/examples/models/stories260k/${file}`, document.baseURI))
    files[file] = await source.read(0, source.size)
  }
  return files
}

/** The model as a folder in memory. */
export const stories = async (): Promise<Folder> => memoryFolder(await storiesFiles(), 'stories260k')
