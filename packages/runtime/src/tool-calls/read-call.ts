/**
 * What a piece of JSON (or the like) calls.
 * @module
 */
import type { ToolCallFormat } from './format.ts'

/** A function that the model wants called. */
export interface ToolCall {
  readonly name: string
  /** JSON text of an object. */
  readonly arguments: string
}

/** JSON schemas of functions, by name: what is called may be read by them. */
export type ToolSchemas = ReadonlyMap<string, unknown>

type Json = Record<string, unknown>

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const nameKeys = ['name', 'tool_name', 'function'] as const
const argumentKeys = ['arguments', 'parameters', 'args'] as const

const callOf = (value: unknown): ToolCall | undefined => {
  if (!isObject(value)) return undefined
  // {"type": "function", "function": {"name", "arguments"}}, as in OpenAI's API, is written by some.
  if (isObject(value.function)) return callOf(value.function)
  const name = nameKeys.map((key) => value[key]).find((found) => typeof found === 'string' && found !== '')
  if (typeof name !== 'string') return undefined
  const key = argumentKeys.find((found) => found in value)
  const given = key === undefined ? {} : value[key]
  const object = typeof given === 'string' ? parsed(given) : (given ?? {})
  return isObject(object) ? { name, arguments: JSON.stringify(object) } : undefined
}

/**
 * The calls that a text of JSON stands for: an object or a list of them. Undefined where it is something else, or where
 * `known` functions are given and one of the calls is of another.
 */
export const callsOfJson = (text: string, known?: ToolSchemas): readonly ToolCall[] | undefined => {
  const value = parsed(text)
  const list = Array.isArray(value) ? value : [value]
  const calls = list.map(callOf)
  const good = calls.every((call) => call !== undefined && (known === undefined || known.has(call.name)))
  return good && calls.length > 0 ? (calls as ToolCall[]) : undefined
}

/** `name`, whatever stands between it and the arguments in the named formats, and the arguments. */
const named =
  /^\s*(?:function<｜tool▁sep｜>)?\s*([\w.:-]+)\s*(?:\[CALL_ID\]\w*)?(?:\[ARGS\])?\s*(?:```json)?\s*(\{[\s\S]*\})\s*(?:```)?\s*$/

/** `<function=NAME><parameter=KEY>VALUE</parameter>…</function>`; values are text unless the schema says otherwise. */
const callOfFunction = (text: string, schemas: ToolSchemas | undefined): ToolCall | undefined => {
  const name = /^\s*<function=([^>\s]+)>/.exec(text)?.[1]
  if (name === undefined) return undefined
  const schema = schemas?.get(name)
  const properties = isObject(schema) && isObject(schema.properties) ? schema.properties : {}
  const values: [string, unknown][] = []
  for (const match of text.matchAll(/<parameter=([^>\s]+)>\n?([\s\S]*?)\n?<\/parameter>/g)) {
    const [, key = '', value = ''] = match
    const property = properties[key]
    const isText = !isObject(property) || property.type === 'string'
    const read = isText ? undefined : parsed(value)
    values.push([key, read === undefined ? value : read])
  }
  return { name, arguments: JSON.stringify(Object.fromEntries(values)) }
}

/** The calls between a format's markers; undefined where there are none to be read. */
export const callsOfBody = (
  text: string,
  { body }: ToolCallFormat,
  schemas?: ToolSchemas,
): readonly ToolCall[] | undefined => {
  const json = callsOfJson(text)
  if (json) return json
  if (body === 'functions') {
    const call = callOfFunction(text, schemas)
    return call && [call]
  }
  const match = named.exec(text)
  if (!match) return undefined
  const [, name = '', rest = ''] = match
  const value = parsed(rest)
  return isObject(value) ? [{ name, arguments: JSON.stringify(value) }] : undefined
}
