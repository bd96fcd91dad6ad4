import { AwqError, quoted } from '@awq/tensor'
import { type Resampling, resamplingByNumber } from '../pixels/filters.ts'
import type { Size, SizeSetting } from './sizes.ts'

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>

/** Whether a JSON value is an object. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Reads the settings of one file: absent and null are the default of the family. Every method throws INVALID_FILE for another type. */
export interface SettingsReader {
  readonly name: string
  flag(key: string, fallback: boolean): boolean
  number(key: string, fallback: number): number
  /** A positive integer. */
  count(key: string, fallback: number): number
  /** Three numbers: one for each of red, green and blue; one number stands for three. */
  channels(key: string, fallback: readonly number[]): readonly [number, number, number]
  size(key: string, fallback: SizeSetting, square: boolean): SizeSetting
  resampling(key: string, fallback: Resampling): Resampling
  resolutions(key: string, fallback: readonly Size[]): readonly Size[]
}

/** A JSON value in a message, cut at 120 characters. */
const shown = (value: unknown): string => {
  if (typeof value === 'string') return quoted(value)
  const json = JSON.stringify(value) ?? 'absent'
  return json.length > 120 ? `${json.slice(0, 119)}…` : json
}

const sizeKeys = ['height', 'width', 'shortest_edge', 'longest_edge', 'max_height', 'max_width'] as const

/** A reader of a processor's JSON; `name` is what messages call the file. */
export function settingsOf(json: JsonObject, name: string): SettingsReader {
  const wrong = (key: string, want: string) =>
    new AwqError('INVALID_FILE', `${name}: ${key} is ${shown(json[key])}; it must be ${want}`)
  const given = (key: string): unknown => json[key] ?? undefined
  const isCount = (value: unknown): value is number =>
    Number.isInteger(value) && (value as number) > 0 && (value as number) < 2 ** 31
  const pair = (value: unknown): value is Size => Array.isArray(value) && value.length === 2 && value.every(isCount)
  return {
    name,
    flag: (key, fallback) => {
      const value = given(key)
      if (value === undefined) return fallback
      if (typeof value !== 'boolean') throw wrong(key, 'true or false')
      return value
    },
    number: (key, fallback) => {
      const value = given(key)
      if (value === undefined) return fallback
      if (typeof value !== 'number' || !Number.isFinite(value)) throw wrong(key, 'a number')
      return value
    },
    count: (key, fallback) => {
      const value = given(key)
      if (value === undefined) return fallback
      if (!isCount(value)) throw wrong(key, 'a positive integer')
      return value
    },
    channels: (key, fallback) => {
      const value = given(key) ?? fallback
      const three = typeof value === 'number' ? [value, value, value] : value
      const numbers = Array.isArray(three) && three.length === 3 && three.every((level) => Number.isFinite(level))
      if (!numbers) throw wrong(key, 'three numbers')
      return [three[0], three[1], three[2]]
    },
    size: (key, fallback, square) => {
      const value = given(key)
      if (value === undefined) return fallback
      if (isCount(value)) return square ? { height: value, width: value } : { shortest_edge: value }
      if (pair(value)) return { height: value[0], width: value[1] }
      if (!isObject(value))
        throw wrong(key, 'a number of pixels, or an object with height and width, or with shortest_edge')
      const sizes = sizeKeys.filter((part) => value[part] !== undefined && value[part] !== null)
      if (!sizes.every((part) => isCount(value[part]))) throw wrong(key, 'made of positive integers')
      return Object.fromEntries(sizes.map((part) => [part, value[part]])) as SizeSetting
    },
    resampling: (key, fallback) => {
      const value = given(key)
      if (value === undefined) return fallback
      const known = typeof value === 'number' ? resamplingByNumber[value] : undefined
      if (known === undefined) throw wrong(key, `a number from 0 to ${resamplingByNumber.length - 1}`)
      return known
    },
    resolutions: (key, fallback) => {
      const value = given(key)
      if (value === undefined) return fallback
      if (!Array.isArray(value) || value.length === 0 || !value.every(pair))
        throw wrong(key, 'a list of [height, width]')
      return value
    },
  }
}
