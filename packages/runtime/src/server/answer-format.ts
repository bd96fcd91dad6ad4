/**
 * Answers that must be JSON of a schema, or a call of a function: as constraints of their tokens.
 * @module
 */
import { AwqError } from '@awq/tensor'
import { jsonSchemaConstraint } from '../constrain/index.ts'
import type { LanguageModel } from '../language-model.ts'
import type { Constraint } from '../token-constraint.ts'
import type { Tool, ToolCallFormat, ToolCallParser } from '../tool-calls/index.ts'
import { callsOfJson } from '../tool-calls/read-call.ts'
import { badParameter } from './api-error.ts'

type Schema = Readonly<Record<string, unknown>>

/** What an answer is bound to. */
export interface AnswerFormat {
  /** JSON of this schema as content; undefined for any text, where no call is forced. */
  readonly schema: Schema | undefined
  /** Functions of which one must be called, or may be with a schema. */
  readonly calls: readonly Tool[]
}

/** A JSON schema inside of another one: its references begin at `root`. */
const rooted = (value: unknown, root: string): unknown => {
  if (Array.isArray(value)) return value.map((item) => rooted(item, root))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      key === '$ref' && typeof inner === 'string' ? inner.replace(/^#/, root) : rooted(inner, root),
    ]),
  )
}

/** The schema of an answer: of its content, of a call, or of either. */
const answerSchema = ({ schema, calls }: AnswerFormat, { keys }: ToolCallFormat): Schema => {
  if (calls.length === 0) return schema ?? { type: 'object' }
  const parameters = calls.map(({ function: called }, index) => [
    `call${index}`,
    rooted(called.parameters ?? { type: 'object', properties: {} }, `#/$defs/call${index}`),
  ])
  const alternatives = calls.map(({ function: { name } }, index) => ({
    type: 'object',
    properties: { [keys.name]: { const: name }, [keys.arguments]: { $ref: `#/$defs/call${index}` } },
    required: [keys.name, keys.arguments],
    additionalProperties: false,
  }))
  return {
    $defs: { ...Object.fromEntries(parameters), ...(schema ? { content: rooted(schema, '#/$defs/content') } : {}) },
    anyOf: [...alternatives, ...(schema ? [{ $ref: '#/$defs/content' }] : [])],
  }
}

/**
 * The constraint of an answer; undefined when it may be any text.
 * @throws ApiError 400 for a schema that is not supported
 */
export const answerConstraint = async (
  { tokenizer }: LanguageModel,
  format: AnswerFormat,
  toolFormat: ToolCallFormat,
  { param, signal }: { readonly param: string; readonly signal: AbortSignal },
): Promise<Constraint | undefined> => {
  if (!format.schema && format.calls.length === 0) return undefined
  try {
    return await jsonSchemaConstraint(answerSchema(format, toolFormat), tokenizer, { signal })
  } catch (error) {
    const known = AwqError.is(error) && (error.code === 'INVALID_ARGUMENT' || error.code === 'UNSUPPORTED')
    if (known) throw badParameter(param, `Invalid schema for '${param}': ${error.message}`, 'invalid_json_schema')
    throw error
  }
}

/** Reads an answer that is one JSON value: a call of one of the functions, or content. */
export const createWholeParser = (tools: readonly Tool[]): ToolCallParser => {
  const schemas = new Map(tools.map(({ function: { name, parameters } }) => [name, parameters]))
  let text = ''
  return {
    push(more) {
      text += more
      return []
    },
    flush() {
      const calls = callsOfJson(text.trim(), schemas)
      return calls ? calls.map((call) => ({ type: 'call', call })) : [{ type: 'content', text }]
    },
  }
}
