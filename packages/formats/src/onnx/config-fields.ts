/**
 * What the small files of exported folders say.
 * @module
 */
import { parseJson } from '@awq/tensor'
import { companionText } from '../folder/companions.ts'
import { isObject, type JsonObject } from '../folder/config.ts'
import type { PortableModel } from '../model.ts'

/** A companion that is a JSON object; undefined where the model has none. @throws AwqError INVALID_FILE for no JSON */
export const companionObject = async (model: PortableModel, file: string): Promise<JsonObject | undefined> => {
  const text = await companionText(model, file)
  if (text === undefined) return undefined
  const value = parseJson(text, `${model.name}/${file}`)
  return isObject(value) ? value : undefined
}

/** JSON as files have it. */
export const jsonText = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

/** The config of the language model: that under `text_config`, where the model has images or sound besides. */
export const textConfig = (config: JsonObject): JsonObject => {
  const inner = config.text_config
  return isObject(inner) ? inner : config
}

/** generation_config.json: the model's own, or what config.json says of the ends of texts. */
export const generationConfig = async (model: PortableModel): Promise<JsonObject> => {
  const own = await companionObject(model, 'generation_config.json')
  if (own) return own
  const { config } = model
  const fields = ['bos_token_id', 'eos_token_id', 'pad_token_id'] as const
  const known = fields.flatMap((field) => {
    const value = config[field] ?? textConfig(config)[field]
    return value === undefined || value === null ? [] : [[field, value] as const]
  })
  return { _from_model_config: true, ...Object.fromEntries(known) }
}

/**
 * tokenizer_config.json with the chat template in it: a file of its own is newer than many programs. Undefined where the
 * model has no tokenizer_config.json and no template.
 */
export const tokenizerConfig = async (model: PortableModel): Promise<JsonObject | undefined> => {
  const own = await companionObject(model, 'tokenizer_config.json')
  const template = await companionText(model, 'chat_template.jinja')
  if (template === undefined || own?.chat_template) return own
  return { ...own, chat_template: template }
}
