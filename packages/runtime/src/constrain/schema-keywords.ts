/**
 * The keywords of JSON Schema, and how each is treated: checked when a schema is first looked at.
 * @module
 */
import { AwqError, quoted } from '@awq/tensor'

/** A JSON schema that is an object, with keywords that were checked. */
export interface SchemaObject {
  readonly $ref?: string
  readonly allOf?: readonly unknown[]
  readonly anyOf?: readonly unknown[]
  readonly oneOf?: readonly unknown[]
  readonly nullable?: boolean
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number | boolean
  readonly exclusiveMaximum?: number | boolean
  readonly multipleOf?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
  readonly format?: string
  readonly properties?: Readonly<Record<string, unknown>>
  readonly patternProperties?: Readonly<Record<string, unknown>>
  readonly additionalProperties?: unknown
  readonly propertyNames?: unknown
  readonly required?: readonly string[]
  readonly minProperties?: number
  readonly maxProperties?: number
  readonly prefixItems?: readonly unknown[]
  readonly items?: unknown
  readonly additionalItems?: unknown
  readonly minItems?: number
  readonly maxItems?: number
  readonly not?: unknown
}

export const typeNames = ['null', 'boolean', 'integer', 'number', 'string', 'array', 'object'] as const
export type TypeName = (typeof typeNames)[number]

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0
const isNumber = (value: unknown) => typeof value === 'number' && Number.isFinite(value)
const isBound = (value: unknown) => isNumber(value) || typeof value === 'boolean'
const isText = (value: unknown) => typeof value === 'string'
const isSchema = (value: unknown) => isObject(value) || typeof value === 'boolean'
const isSchemas = (value: unknown) => Array.isArray(value) && value.length > 0 && value.every(isSchema)
const isSchemaMap = (value: unknown) => isObject(value) && Object.values(value).every(isSchema)
const isTexts = (value: unknown) => Array.isArray(value) && value.every(isText)
const isType = (value: unknown) => typeNames.includes(value as TypeName)
const isTypes = (value: unknown) => isType(value) || (Array.isArray(value) && value.length > 0 && value.every(isType))
const anything = () => true

/** What the values of keywords must be. */
const supported: Readonly<Record<string, readonly [allowed: (value: unknown) => boolean, words: string]>> = {
  $ref: [isText, 'a text'],
  allOf: [isSchemas, 'a list of schemas'],
  anyOf: [isSchemas, 'a list of schemas'],
  oneOf: [isSchemas, 'a list of schemas'],
  nullable: [(value) => typeof value === 'boolean', 'true or false'],
  type: [isTypes, `one or more of ${typeNames.join(', ')}`],
  enum: [(value) => Array.isArray(value) && value.length > 0, 'a list with at least one value'],
  const: [anything, ''],
  minimum: [isNumber, 'a number'],
  maximum: [isNumber, 'a number'],
  exclusiveMinimum: [isBound, 'a number'],
  exclusiveMaximum: [isBound, 'a number'],
  multipleOf: [(value) => isNumber(value) && (value as number) > 0, 'a number above 0'],
  minLength: [isCount, 'an integer, 0 or more'],
  maxLength: [isCount, 'an integer, 0 or more'],
  pattern: [isText, 'a text'],
  format: [isText, 'a text'],
  properties: [isSchemaMap, 'an object of schemas'],
  patternProperties: [isSchemaMap, 'an object of schemas'],
  additionalProperties: [isSchema, 'a schema'],
  propertyNames: [isSchema, 'a schema'],
  required: [isTexts, 'a list of texts'],
  minProperties: [isCount, 'an integer, 0 or more'],
  maxProperties: [isCount, 'an integer, 0 or more'],
  prefixItems: [isSchemas, 'a list of schemas'],
  items: [(value) => isSchema(value) || (Array.isArray(value) && value.every(isSchema)), 'a schema'],
  additionalItems: [isSchema, 'a schema'],
  minItems: [isCount, 'an integer, 0 or more'],
  maxItems: [isCount, 'an integer, 0 or more'],
  uniqueItems: [(value) => value === false, 'false: true is not supported'],
  not: [(value) => isObject(value) && Object.keys(value).length === 0, '{}: other schemas are not supported'],
  // What these ask for holds anyway: of what is not described, nothing is written.
  unevaluatedProperties: [isSchema, 'a schema'],
  unevaluatedItems: [isSchema, 'a schema'],
}

/** Keywords that say nothing about what is valid. */
const annotations = new Set([
  ...['$schema', '$id', 'id', '$anchor', '$comment', '$defs', 'definitions', '$vocabulary', 'title', 'description'],
  ...['default', 'example', 'examples', 'deprecated', 'readOnly', 'writeOnly', 'contentEncoding', 'contentMediaType'],
  ...['contentSchema', 'discriminator', 'externalDocs', 'xml', 'strict', 'propertyOrdering'],
])

/** Whether a schema allows every value. */
export const allowsAll = (schema: SchemaObject): boolean =>
  !Object.keys(schema).some((keyword) => Object.hasOwn(supported, keyword))

/** The error of a schema that cannot be used. */
export const schemaError = (path: string, what: string): AwqError =>
  new AwqError('INVALID_ARGUMENT', `The JSON schema at ${quoted(path)} ${what}.`)

/**
 * A schema whose keywords are all known, with values of the right kind.
 * @throws AwqError INVALID_ARGUMENT that names the keyword
 */
export const checkedSchema = (schema: unknown, path: string): SchemaObject | boolean => {
  if (typeof schema === 'boolean') return schema
  if (!isObject(schema)) throw schemaError(path, 'is neither an object nor true or false')
  for (const [keyword, value] of Object.entries(schema)) {
    if (value === undefined || annotations.has(keyword) || keyword.startsWith('x-')) continue
    const rule = Object.hasOwn(supported, keyword) ? supported[keyword] : undefined
    if (!rule) {
      throw schemaError(
        path,
        `has the keyword ${quoted(keyword)}, which is not supported: leave it out and check it yourself`,
      )
    }
    const [allowed, words] = rule
    if (!allowed(value)) throw schemaError(path, `has the keyword ${quoted(keyword)}, whose value must be ${words}`)
  }
  return schema as SchemaObject
}
