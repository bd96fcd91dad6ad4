/**
 * Strings, numbers and listed values of a schema.
 * @module
 */
import { allCharacters, jsonCharacter } from './characters.ts'
import { both, choice, type Expression, none, repeat, unit } from './expression.ts'
import { anyOfType, literal, stringOf, stringOfLength } from './json-text.ts'
import type { MergedSchema } from './merge-schemas.ts'
import { integers, numbers } from './numbers.ts'
import { PatternProblem, pattern } from './pattern.ts'
import { schemaError, type TypeName } from './schema-keywords.ts'
import { stringFormats } from './string-formats.ts'

const infinity = Number.POSITIVE_INFINITY

/** The inside of the strings that a schema allows. */
export const stringInside = (schema: MergedSchema): Expression => {
  const { path, patterns, formats, minLength, maxLength } = schema
  if (minLength > maxLength) return none
  const sources = [
    ...patterns.map((source) => ({ source, keyword: 'pattern' })),
    ...formats.map((name) => ({ source: formatPattern(name, path), keyword: 'format' })),
  ]
  const bounded = minLength > 0 || maxLength < infinity
  if (sources.length === 0) return stringOfLength(minLength, maxLength)
  const lengths = bounded ? [repeat(jsonCharacter(allCharacters), minLength, maxLength)] : []
  const parts = [...sources.map(({ source, keyword }) => compiled(source, keyword, path)), ...lengths]
  return parts.reduce((all, part) => both(all, part))
}

const compiled = (source: string, keyword: string, path: string): Expression => {
  try {
    return pattern(source)
  } catch (error) {
    if (!(error instanceof PatternProblem)) throw error
    throw schemaError(path, `has the "${keyword}" ${JSON.stringify(source.slice(0, 80))}, which ${error.message}`)
  }
}

const formatPattern = (name: string, path: string): string => {
  const found = Object.hasOwn(stringFormats, name) ? stringFormats[name] : undefined
  if (found !== undefined) return found
  const names = Object.keys(stringFormats).join(', ')
  throw schemaError(
    path,
    `has the "format" ${JSON.stringify(name.slice(0, 80))}, which is not supported; known are ${names}`,
  )
}

/** A value of a type that contains no others; undefined for lists and objects. */
export const scalar = (type: TypeName, schema: MergedSchema): Expression | undefined => {
  const { path, multiples } = schema
  if (type === 'null' || type === 'boolean') return anyOfType[type]
  if (type === 'string') return stringOf(stringInside(schema))
  if (type === 'array' || type === 'object') return undefined
  const wrong = multiples.find((multiple) => !Number.isInteger(multiple) || multiple > 1000)
  if (wrong !== undefined) throw schemaError(path, `has "multipleOf" ${wrong}; integers up to 1000 are supported`)
  // What is a multiple of an integer is one itself.
  if (type === 'integer' || multiples.length > 0) return unit(integers(schema, multiples))
  return unit(numbers(schema))
}

const typeOf = (value: unknown): TypeName => {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value as TypeName
}

const regularExpression = (source: string, path: string): RegExp => {
  try {
    return new RegExp(source, 'u')
  } catch {
    throw schemaError(path, `has the "pattern" ${JSON.stringify(source.slice(0, 80))}, which is no regular expression`)
  }
}

const length = (value: string): number => [...value].length

/** Whether a value is of a schema, as far as its type, bounds, lengths and patterns go. */
export const satisfies = (value: unknown, schema: MergedSchema): boolean => {
  if (!schema.declared.has(typeOf(value))) return false
  if (typeof value === 'number') {
    const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multiples } = schema
    if (value < minimum || value > maximum || value <= exclusiveMinimum || value >= exclusiveMaximum) return false
    return multiples.every((multiple) => Number.isInteger(value / multiple))
  }
  if (typeof value === 'string') {
    if (length(value) < schema.minLength || length(value) > schema.maxLength) return false
    const sources = [...schema.patterns, ...schema.formats.map((name) => formatPattern(name, schema.path))]
    return sources.every((source) => regularExpression(source, schema.path).test(value))
  }
  return true
}

/** The listed values of a schema that its other keywords allow. */
export const listed = (values: readonly unknown[], schema: MergedSchema): Expression => {
  const { path, properties, prefix, items } = schema
  const kept = values.filter((value) => satisfies(value, schema))
  const deep = kept.some((value) => typeof value === 'object' && value !== null)
  if (deep && (properties.size > 0 || prefix.length > 0 || items.length > 0)) {
    throw schemaError(path, 'has "enum" or "const" with objects or lists beside keywords that describe them')
  }
  return unit(choice(...kept.map(literal)))
}
