import { isObject, type JsonObject } from '../processors/settings.ts'

const textIn = (value: unknown): string | undefined => {
  if (typeof value === 'string') return value
  return isObject(value) && typeof value.content === 'string' ? value.content : undefined
}

/**
 * A special token by its name in tokenizer_config.json: at the top, or among the extra tokens that transformers 4.5x and 5 write
 * (`extra_special_tokens`, `model_specific_special_tokens`).
 */
export function namedToken(tokenizer: JsonObject, name: string): string | undefined {
  const places = [tokenizer, tokenizer.extra_special_tokens, tokenizer.model_specific_special_tokens]
  return places.map((place) => (isObject(place) ? textIn(place[name]) : undefined)).find((text) => text !== undefined)
}
