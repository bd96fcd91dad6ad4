import { AwqError, type Folder, parseJson } from '@awq/tensor'
import { isObject, type JsonObject } from './settings.ts'

/** The JSON files of a checkpoint that say how it sees. */
export interface ProcessorFiles {
  /** The image processor's settings: those within processor_config.json (transformers 5), else preprocessor_config.json. */
  readonly image: JsonObject
  /** What messages call the file that they come from. */
  readonly imageName: string
  /** processor_config.json, empty where there is none. */
  readonly processor: JsonObject
  /** config.json, empty where there is none. */
  readonly config: JsonObject
  /** tokenizer_config.json, empty where there is none. */
  readonly tokenizer: JsonObject
}

const maxBytes = 2 ** 24

async function readObject(folder: Folder, file: string): Promise<JsonObject | undefined> {
  if (!(await folder.has(file))) return undefined
  const name = `${folder.name}/${file}`
  const json = parseJson(await folder.readText(file, { maxBytes }), name)
  if (!isObject(json)) throw new AwqError('INVALID_FILE', `${name} is not a JSON object`)
  return json
}

/**
 * Reads the files of a checkpoint. Throws NOT_FOUND when it has neither preprocessor_config.json nor an image processor in
 * processor_config.json.
 */
export async function readProcessorFiles(folder: Folder): Promise<ProcessorFiles> {
  const processor = (await readObject(folder, 'processor_config.json')) ?? {}
  const nested = isObject(processor.image_processor) ? processor.image_processor : undefined
  const image = nested ?? (await readObject(folder, 'preprocessor_config.json'))
  if (image === undefined) {
    throw new AwqError(
      'NOT_FOUND',
      `${folder.name} has neither preprocessor_config.json nor an image_processor in processor_config.json: it is no model that sees, ` +
        'or the file was left behind when it was copied',
    )
  }
  return {
    image,
    imageName: `${folder.name}/${nested ? 'processor_config.json' : 'preprocessor_config.json'}`,
    processor,
    config: (await readObject(folder, 'config.json')) ?? {},
    tokenizer: (await readObject(folder, 'tokenizer_config.json')) ?? {},
  }
}
