/**
 * Constraints to JSON.
 * @module
 */

import { turnEventLoop } from '../event-loop.ts'
import type { Constraint } from '../token-constraint.ts'
import { createClosings } from './closing.ts'
import { expressionConstraint, type VocabularyParts } from './constraint.ts'
import { derive, type Expression } from './expression.ts'
import { anyString } from './json-text.ts'
import { schemaExpression, schemaText } from './schema-expression.ts'
import { createTokenMasks } from './token-mask.ts'
import { createRests, readVocabulary, type TokenSource } from './vocabulary.ts'

/** Options of a constraint. */
export interface ConstraintOptions {
  /** Ends the preparation: the promise rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
}

/** What is kept of a tokenizer. */
export interface PreparedVocabulary extends VocabularyParts {
  /** Expressions by the text of their schemas, the latest last. */
  readonly expressions: Map<string, Expression>
}

const prepared = new WeakMap<TokenSource, Promise<PreparedVocabulary>>()
const mostExpressions = 64

/** The vocabulary of a tokenizer, read once. */
export const prepareVocabulary = (tokenizer: TokenSource): Promise<PreparedVocabulary> => {
  const found = prepared.get(tokenizer)
  if (found) return found
  // Others may wait for it, too: no caller's signal ends it.
  const made = readVocabulary(tokenizer).then(async (vocabulary) => {
    const masks = createTokenMasks(vocabulary)
    await turnEventLoop()
    // The inside of a string is met in every document, and its mask takes longest.
    masks.of(derive(anyString, 34))
    return { vocabulary, masks, closings: createClosings(vocabulary), expressions: new Map<string, Expression>() }
  })
  prepared.set(tokenizer, made)
  made.catch(() => prepared.delete(tokenizer))
  return made
}

/** The expression of a schema, from those that are kept or made in small steps. */
export const preparedExpression = async (
  schema: unknown,
  { expressions }: PreparedVocabulary,
  { signal }: ConstraintOptions,
): Promise<Expression> => {
  const key = schemaText(schema)
  let expression = expressions.get(key)
  if (expression === undefined) {
    const rest = createRests(signal)
    const steps = schemaExpression(JSON.parse(key))
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done) {
        expression = step.value
        break
      }
      await rest()
    }
  }
  expressions.delete(key)
  expressions.set(key, expression)
  if (expressions.size > mostExpressions) expressions.delete(expressions.keys().next().value as string)
  return expression
}

/**
 * A constraint to JSON of a schema (JSON Schema 2020-12 and what earlier drafts wrote in its place). Every text that comes
 * to its end is valid; properties stand in the order of the schema, and where a schema names properties and does not speak
 * of others, there are no others. White space is bounded. Known are: `type`, `enum`, `const`, bounds, `multipleOf` of
 * integers, lengths, `pattern`, the usual formats, `properties`, `required`, `additionalProperties`, one of
 * `patternProperties`, `propertyNames`, counts, `items`, `prefixItems`, `$ref` into the schema (recursive, too), `allOf`,
 * `anyOf`, and `oneOf` whose branches exclude each other.
 * A generation with few tokens left goes the shortest way to an end, so its text is whole unless `maxNewTokens` is less than
 * the shortest document takes.
 * The first constraint of a tokenizer reads its vocabulary, which takes some tenths of a second in small steps; schemas
 * are kept.
 * @throws AwqError INVALID_ARGUMENT that names the place and the keyword of a schema that is not supported, too large or
 * contradicts itself; UNSUPPORTED for a vocabulary that cannot write JSON
 */
export const jsonSchemaConstraint = async (
  schema: unknown,
  tokenizer: TokenSource,
  options: ConstraintOptions = {},
): Promise<Constraint> => {
  options.signal?.throwIfAborted()
  schemaText(schema)
  const vocabulary = await prepareVocabulary(tokenizer)
  options.signal?.throwIfAborted()
  const expression = await preparedExpression(schema, vocabulary, options)
  return expressionConstraint(expression, vocabulary)
}

/** A constraint to any JSON object. */
export const jsonObjectConstraint = (tokenizer: TokenSource, options?: ConstraintOptions): Promise<Constraint> =>
  jsonSchemaConstraint({ type: 'object' }, tokenizer, options)
