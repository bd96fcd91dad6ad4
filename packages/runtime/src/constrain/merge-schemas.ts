/**
 * Schemas that hold together as one.
 * @module
 */
import type { Conjunction, RawPlace } from './schema-alternatives.ts'
import { type SchemaObject, schemaError, type TypeName, typeNames } from './schema-keywords.ts'

/** The keywords of a conjunction, brought together. */
export interface MergedSchema {
  readonly path: string
  /** What a value may be by the keyword `type`. */
  readonly declared: ReadonlySet<TypeName>
  /** What is written: where no type is given, that of which the other keywords speak. */
  readonly types: ReadonlySet<TypeName>
  /** The values of `enum` and `const`. */
  readonly values: readonly unknown[] | undefined
  readonly minimum: number
  readonly maximum: number
  readonly exclusiveMinimum: number
  readonly exclusiveMaximum: number
  readonly multiples: readonly number[]
  readonly minLength: number
  readonly maxLength: number
  readonly patterns: readonly string[]
  readonly formats: readonly string[]
  /** Schemas of each property that is named, in the order of the schema; undefined for one that must not be. */
  readonly properties: ReadonlyMap<string, readonly RawPlace[] | undefined>
  readonly required: ReadonlySet<string>
  /** Schemas of the other properties and a pattern for their names, where there may be such. */
  readonly others: { readonly places: readonly RawPlace[]; readonly pattern: string | undefined } | undefined
  /** Other properties are forbidden, and not only left out. */
  readonly closed: boolean
  /** Schemas of the names of properties. */
  readonly names: readonly RawPlace[]
  readonly minProperties: number
  readonly maxProperties: number
  readonly prefix: readonly (readonly RawPlace[])[]
  /** Schemas of the items behind the prefix. */
  readonly items: readonly RawPlace[]
  readonly minItems: number
  readonly maxItems: number
}

/** Which types the keywords speak of that hold for values of one type only. */
const speaksOf: Readonly<Partial<Record<keyof SchemaObject, TypeName>>> = {
  properties: 'object',
  patternProperties: 'object',
  additionalProperties: 'object',
  propertyNames: 'object',
  required: 'object',
  minProperties: 'object',
  maxProperties: 'object',
  prefixItems: 'array',
  items: 'array',
  minItems: 'array',
  maxItems: 'array',
  minLength: 'string',
  maxLength: 'string',
  pattern: 'string',
  format: 'string',
  minimum: 'number',
  maximum: 'number',
  exclusiveMinimum: 'number',
  exclusiveMaximum: 'number',
  multipleOf: 'number',
}

/** Formats of numbers, and those that are annotations of whoever wrote them: nothing follows from them. */
const numberFormats = new Set([
  'int8',
  'int16',
  'int32',
  'int64',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'float',
  'double',
])

const largest = (values: readonly number[], none: number): number => values.reduce((a, b) => Math.max(a, b), none)
const smallest = (values: readonly number[], none: number): number => values.reduce((a, b) => Math.min(a, b), none)

/**
 * One schema for several that hold together.
 * @throws AwqError INVALID_ARGUMENT for combinations that are not supported
 */
export const mergeSchemas = (places: Conjunction): MergedSchema => {
  const path = places[places.length - 1]?.path ?? '#'
  const schemas = places.map(({ schema }) => schema)
  const all = <Key extends keyof SchemaObject>(key: Key): NonNullable<SchemaObject[Key]>[] =>
    schemas.flatMap((schema) => (schema[key] === undefined ? [] : [schema[key] as NonNullable<SchemaObject[Key]>]))
  const declared = declaredTypes(schemas)
  return {
    path,
    declared,
    types: writtenTypes(schemas, declared),
    values: valuesOf(schemas),
    ...boundsOf(schemas),
    multiples: all('multipleOf'),
    minLength: largest(all('minLength'), 0),
    maxLength: smallest(all('maxLength'), Number.POSITIVE_INFINITY),
    patterns: all('pattern'),
    formats: all('format').filter((format) => !numberFormats.has(format)),
    ...objectOf(places, path),
    required: new Set(all('required').flat()),
    names: places.flatMap(({ schema, path: at }) =>
      schema.propertyNames === undefined ? [] : [{ schema: schema.propertyNames, path: `${at}/propertyNames` }],
    ),
    minProperties: largest(all('minProperties'), 0),
    maxProperties: smallest(all('maxProperties'), Number.POSITIVE_INFINITY),
    ...listOf(places),
    minItems: largest(all('minItems'), 0),
    maxItems: smallest(all('maxItems'), Number.POSITIVE_INFINITY),
  }
}

const declaredTypes = (schemas: readonly SchemaObject[]): ReadonlySet<TypeName> => {
  let types = new Set<TypeName>(typeNames)
  for (const { type } of schemas) {
    if (type === undefined) continue
    const given = new Set((typeof type === 'string' ? [type] : type) as TypeName[])
    // Every integer is a number.
    if (given.has('number')) given.add('integer')
    types = new Set([...types].filter((name) => given.has(name)))
  }
  return types
}

const writtenTypes = (schemas: readonly SchemaObject[], declared: ReadonlySet<TypeName>): ReadonlySet<TypeName> => {
  if (schemas.some(({ type }) => type !== undefined)) return declared
  const spoken = new Set(
    schemas.flatMap((schema) =>
      Object.entries(speaksOf).flatMap(([key, type]) =>
        schema[key as keyof SchemaObject] === undefined ? [] : [type],
      ),
    ),
  )
  return spoken.size === 0 ? declared : new Set([...declared].filter((type) => spoken.has(type)))
}

/** Equal as JSON: objects in any order of their keys. */
export const sameJson = (a: unknown, b: unknown): boolean => {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every(
      (key) =>
        Object.hasOwn(b, key) && sameJson((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
    )
  )
}

const valuesOf = (schemas: readonly SchemaObject[]): readonly unknown[] | undefined => {
  let values: readonly unknown[] | undefined
  for (const schema of schemas) {
    for (const list of [schema.enum, Object.hasOwn(schema, 'const') ? [schema.const] : undefined]) {
      if (list === undefined) continue
      values = values === undefined ? list : values.filter((value) => list.some((other) => sameJson(value, other)))
    }
  }
  return values
}

const boundsOf = (schemas: readonly SchemaObject[]) => {
  let [minimum, maximum] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
  let [exclusiveMinimum, exclusiveMaximum] = [minimum, maximum]
  for (const schema of schemas) {
    // Draft 4 wrote true beside the bound.
    const low = schema.exclusiveMinimum === true ? schema.minimum : schema.exclusiveMinimum
    const high = schema.exclusiveMaximum === true ? schema.maximum : schema.exclusiveMaximum
    if (typeof low === 'number') exclusiveMinimum = Math.max(exclusiveMinimum, low)
    if (typeof high === 'number') exclusiveMaximum = Math.min(exclusiveMaximum, high)
    minimum = Math.max(minimum, schema.minimum ?? minimum)
    maximum = Math.min(maximum, schema.maximum ?? maximum)
  }
  return { minimum, maximum, exclusiveMinimum, exclusiveMaximum }
}

const matches = (pattern: string, name: string, path: string): boolean => {
  try {
    return new RegExp(pattern, 'u').test(name)
  } catch {
    throw schemaError(path, `has ${JSON.stringify(pattern)} in "patternProperties", which is no regular expression`)
  }
}

const objectOf = (places: Conjunction, path: string) => {
  const names = new Set<string>()
  for (const { schema } of places) for (const name of Object.keys(schema.properties ?? {})) names.add(name)
  for (const { schema } of places) for (const name of schema.required ?? []) names.add(name)
  const properties = new Map<string, readonly RawPlace[] | undefined>()
  for (const name of names) {
    const found: RawPlace[] = []
    for (const { schema, path: at } of places) {
      const own = schema.properties && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined
      if (own !== undefined) found.push({ schema: own, path: `${at}/properties/${name}` })
      const patterned = Object.entries(schema.patternProperties ?? {}).filter(([pattern]) => matches(pattern, name, at))
      for (const [pattern, of] of patterned) found.push({ schema: of, path: `${at}/patternProperties/${pattern}` })
      if (own !== undefined || patterned.length > 0 || schema.additionalProperties === undefined) continue
      found.push({ schema: schema.additionalProperties, path: `${at}/additionalProperties` })
    }
    properties.set(name, found.some(({ schema }) => schema === false) ? undefined : found)
  }
  const closed = places.some(({ schema }) => schema.additionalProperties === false && !schema.patternProperties)
  return { properties, closed, others: othersOf(places, names.size > 0, path) }
}

/**
 * The properties that are not named. Where a schema names some and says nothing of others there are none, though they
 * would be valid: what is not asked for is not written.
 */
const othersOf = (places: Conjunction, named: boolean, path: string): MergedSchema['others'] => {
  const patterned = places.flatMap(({ schema, path: at }) =>
    Object.entries(schema.patternProperties ?? {}).map(([pattern, of]) => ({
      pattern,
      place: { schema: of, path: `${at}/patternProperties/${pattern}` },
    })),
  )
  if (patterned.length > 1) throw schemaError(path, 'has more than one pattern in "patternProperties"')
  const given = places.flatMap(({ schema, path: at }) =>
    schema.additionalProperties === undefined || (schema.patternProperties && patterned.length > 0)
      ? []
      : [{ schema: schema.additionalProperties, path: `${at}/additionalProperties` }],
  )
  if (given.some(({ schema }) => schema === false)) return undefined
  const [only] = patterned
  if (only) return { places: [only.place, ...given], pattern: only.pattern }
  if (given.length > 0) return { places: given, pattern: undefined }
  return named ? undefined : { places: [], pattern: undefined }
}

const listOf = (places: Conjunction): Pick<MergedSchema, 'prefix' | 'items'> => {
  const lists = places.map(({ schema, path }) => {
    // Before 2020 a list of items was what prefixItems is now.
    const old = Array.isArray(schema.items)
    const prefix = schema.prefixItems ?? (old ? (schema.items as readonly unknown[]) : [])
    const rest = old ? schema.additionalItems : schema.items
    return {
      prefix: prefix.map((of, i) => ({ schema: of, path: `${path}/${old ? 'items' : 'prefixItems'}/${i}` })),
      rest: rest === undefined ? [] : [{ schema: rest, path: `${path}/items` }],
    }
  })
  const length = Math.max(0, ...lists.map(({ prefix }) => prefix.length))
  return {
    prefix: Array.from({ length }, (_, i) =>
      lists.flatMap(({ prefix, rest }): readonly RawPlace[] => {
        const own = prefix[i]
        return own ? [own] : rest
      }),
    ),
    items: lists.flatMap(({ rest }) => rest),
  }
}
