/**
 * Answers that must be JSON of a schema, or calls of functions: as constraints of their tokens.
 * @module
 */
import { AwqError } from '@awq/tensor'
import { jsonSchemaConstraint } from '../constrain/index.ts'
import type { LanguageModel } from '../language-model.ts'
import type { Constraint } from '../token-constraint.ts'
import { type Tool, type ToolCallFormat, toolCallConstraint } from '../tool-calls/index.ts'
import { badParameter } from './api-error.ts'

/** What an answer is bound to. */
export interface AnswerFormat {
  /** JSON of this schema as content; undefined for any text, where no call is forced. */
  readonly schema: Readonly<Record<string, unknown>> | undefined
  /** Functions of which some must be called, or may be with a schema. */
  readonly calls: readonly Tool[]
  /** Several calls may come. */
  readonly parallel: boolean
}

/**
 * The constraint of an answer; undefined when it may be any text. Calls stand in the model's own format, so that what it was
 * trained to write comes most easily.
 * @throws ApiError 400 for a schema that is not supported
 */
export const answerConstraint = async (
  { tokenizer }: LanguageModel,
  { schema, calls, parallel }: AnswerFormat,
  toolFormat: ToolCallFormat,
  { param, signal }: { readonly param: string; readonly signal: AbortSignal },
): Promise<Constraint | undefined> => {
  if (!schema && calls.length === 0) return undefined
  try {
    return calls.length === 0
      ? await jsonSchemaConstraint(schema, tokenizer, { signal })
      : await toolCallConstraint(calls, toolFormat, tokenizer, { parallel, otherwise: schema, signal })
  } catch (error) {
    const known = AwqError.is(error) && (error.code === 'INVALID_ARGUMENT' || error.code === 'UNSUPPORTED')
    if (known) throw badParameter(param, `Invalid schema for '${param}': ${error.message}`, 'invalid_json_schema')
    throw error
  }
}
