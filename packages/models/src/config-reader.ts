/**
 * Checked access to the fields of a `config.json`, which may come from anywhere.
 * @module
 */
import { AwqError } from '@awq/tensor'

/** No model has dimensions past this; a larger number is a forged or broken file. */
const MAX_DIMENSION = 2 ** 28

const finite = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)

/** Reads one field at a time and names the field in every error. */
export interface ConfigReader {
  /** A positive integer of at most 2^28. Without a fallback the field is required. */
  size(field: string, fallback?: number): number
  /** A finite number above zero. */
  positive(field: string, fallback: number): number
  /** A whole number from 0 on. */
  count(field: string, fallback: number): number
  /** A number above zero, or null where the field is null; where it is absent, the fallback, or null without one. */
  optional(field: string, fallback?: number): number | null
  flag(field: string, fallback: boolean): boolean
  text(field: string, fallback: string): string
  /** A finite number. */
  number(field: string, fallback: number): number
  /** A list of finite numbers, or undefined when the field is absent or null. */
  numbers(field: string): readonly number[] | undefined
  /** A list of strings, or undefined when the field is absent or null. */
  texts(field: string): readonly string[] | undefined
  /** Throws `UNSUPPORTED` unless the field is absent, null or the one value that is implemented. */
  only(field: string, value: string | number | boolean): void
  /** An object, or undefined when the field is absent or null. */
  object(field: string): ConfigReader | undefined
  /** The field as it stands in the file; undefined when it is absent or null. */
  raw(field: string): unknown
  /** The object that is read. */
  readonly json: object
  /** True when the field is present and not null. */
  has(field: string): boolean
  /** Throws `CONFIG`: the file is wrong in `field`. */
  reject(field: string, expected: string): never
  /** Throws `UNSUPPORTED`: the file asks for an option that is not implemented. */
  unsupported(field: string, supported: string): never
}

/**
 * Wraps parsed JSON.
 * @param json the parsed `config.json`
 * @param path prefix of field names in messages, for nested objects
 * @throws AwqError `CONFIG` when `json` is not an object
 */
export const readConfig = (json: unknown, path = ''): ConfigReader => {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new AwqError('CONFIG', `config.json: ${path.replace(/\.$/, '') || 'the file'} must be a JSON object`)
  const fields = new Map(Object.entries(json))
  const read = (field: string): unknown => fields.get(field) ?? undefined
  const reject = (field: string, expected: string): never => {
    throw new AwqError(
      'CONFIG',
      `config.json: ${path}${field} must be ${expected}, but it is ${JSON.stringify(read(field)) ?? 'missing'}`,
    )
  }
  const unsupported = (field: string, supported: string): never => {
    throw new AwqError(
      'UNSUPPORTED',
      `config.json: ${path}${field} ${JSON.stringify(read(field))} is not implemented; supported: ${supported}`,
    )
  }
  return {
    size(field, fallback) {
      const value = read(field) ?? fallback
      if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= MAX_DIMENSION) return value
      return reject(field, `a whole number from 1 to ${MAX_DIMENSION}`)
    },
    positive(field, fallback) {
      const value = read(field) ?? fallback
      return typeof value === 'number' && Number.isFinite(value) && value > 0
        ? value
        : reject(field, 'a number above 0')
    },
    count(field, fallback) {
      const value = read(field) ?? fallback
      return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_DIMENSION
        ? value
        : reject(field, `a whole number from 0 to ${MAX_DIMENSION}`)
    },
    optional(field, fallback) {
      const value = fields.has(field) ? fields.get(field) : (fallback ?? null)
      if (value === null) return null
      return finite(value) && value > 0 ? value : reject(field, 'a number above 0, or null')
    },
    flag(field, fallback) {
      const value = read(field) ?? fallback
      return typeof value === 'boolean' ? value : reject(field, 'true or false')
    },
    text(field, fallback) {
      const value = read(field) ?? fallback
      return typeof value === 'string' ? value : reject(field, 'a string')
    },
    number(field, fallback) {
      const value = read(field) ?? fallback
      return finite(value) ? value : reject(field, 'a number')
    },
    numbers(field) {
      const value = read(field)
      if (value === undefined) return undefined
      return Array.isArray(value) && value.every(finite) ? value : reject(field, 'a list of numbers')
    },
    texts(field) {
      const value = read(field)
      if (value === undefined) return undefined
      return Array.isArray(value) && value.every((one) => typeof one === 'string')
        ? value
        : reject(field, 'a list of strings')
    },
    only(field, value) {
      if ((read(field) ?? value) !== value) unsupported(field, JSON.stringify(value))
    },
    object: (field) => (read(field) === undefined ? undefined : readConfig(read(field), `${path}${field}.`)),
    raw: read,
    json,
    has: (field) => read(field) !== undefined,
    reject,
    unsupported,
  }
}
