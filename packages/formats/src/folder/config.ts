/**
 * The config.json of a model's folder, with what it says of quantization set apart.
 * @module
 */
import { describeModel, type ModelDescription, readModelConfig } from '@awq/models'
import { AwqError, type Folder, quoted } from '@awq/tensor'

/** An object of a JSON file. */
export type JsonObject = Readonly<Record<string, unknown>>

/** A config.json in two parts. */
export interface FolderConfig {
  /** Without `quantization_config`. */
  readonly config: JsonObject
  /** `quantization_config`; undefined where there is none. */
  readonly quantization: JsonObject | undefined
}

/** Whether a value of a JSON file is an object. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * A whole number of a configuration; undefined where it states none.
 * @param where what messages call the object
 * @throws AwqError CONFIG for anything else, such as "4" in quotation marks
 */
export const statedInteger = (object: JsonObject, key: string, where: string): number | undefined => {
  const value = object[key]
  if (value === undefined || value === null) return undefined
  if (Number.isInteger(value)) return value as number
  const advice = typeof value === 'string' ? 'take the quotation marks away' : 'a whole number is needed'
  throw new AwqError('CONFIG', `${where}.${key} is ${quoted(JSON.stringify(value))}, no whole number; ${advice}`)
}

/**
 * Reads the config.json of a folder.
 * @throws AwqError NOT_FOUND when there is none, INVALID_FILE when it is no JSON, CONFIG when it or its `quantization_config`
 *   is no object
 */
export const readFolderConfig = async (folder: Folder): Promise<FolderConfig> => {
  const { json } = await readModelConfig(folder)
  const refuse = (what: string): never => {
    throw new AwqError('CONFIG', `${folder.name}/config.json: ${what} must be an object`)
  }
  if (!isObject(json)) return refuse('it')
  const { quantization_config: quantization, ...config } = json
  if (quantization === undefined || quantization === null) return { config, quantization: undefined }
  return isObject(quantization) ? { config, quantization } : refuse('quantization_config')
}

/**
 * What a config.json describes.
 * @throws AwqError as `describeModel`, naming the file
 */
export const describeConfig = (config: unknown, file: string): ModelDescription => {
  try {
    return describeModel(config)
  } catch (error) {
    throw AwqError.is(error) ? new AwqError(error.code, `${file}: ${error.message}`, { cause: error }) : error
  }
}

/** The same, or undefined for a folder that has no config.json or one that is no use: for recognising. */
export const peekFolderConfig = async (folder: Folder): Promise<FolderConfig | undefined> =>
  (await folder.has('config.json')) ? await readFolderConfig(folder).catch(() => undefined) : undefined
