/**
 * Calls that must come, and must fit: a format's own text around arguments of the functions' schemas.
 * @module
 */
import { AwqError } from '@awq/tensor'
import type { Tokenizer } from '@awq/text'
import { expressionConstraint } from '../constrain/constraint.ts'
import { choice, controlToken, type Expression, end, none, repeat, sequence, text } from '../constrain/expression.ts'
import { type ConstraintOptions, preparedExpression, prepareVocabulary } from '../constrain/json-constraint.ts'
import { listOf, member, objectOf } from '../constrain/json-text.ts'
import type { TokenSource } from '../constrain/vocabulary.ts'
import type { Constraint } from '../token-constraint.ts'
import { type ToolCallFormat, toolCallMarkers } from './format.ts'
import type { Tool } from './messages.ts'

/** What markers are looked up in. */
export type MarkerSource = Pick<Tokenizer, 'tokenId' | 'specialIds'>

/**
 * The control tokens among a format's markers: for `visibleTokens` of a generation whose calls are to be read. Markers that
 * are ordinary text need nothing.
 */
export const toolCallMarkerIds = (format: ToolCallFormat, tokenizer: MarkerSource): readonly number[] =>
  toolCallMarkers(format).flatMap((marker) => {
    const id = tokenizer.tokenId(marker)
    return id !== undefined && tokenizer.specialIds.has(id) ? [id] : []
  })

/** Options of a constraint to calls. */
export interface ToolCallConstraintOptions extends ConstraintOptions {
  /** Up to 8 calls instead of one; false by default. */
  readonly parallel?: boolean | undefined
  /** JSON schema of an answer that may come instead of calls. */
  readonly otherwise?: unknown
}

const mostCalls = 8

/**
 * A constraint to calls of these functions, in a model's own format, with arguments of their schemas: what `tool_choice`
 * asks for with `required`, or, with one function alone, by its name.
 * @throws AwqError INVALID_ARGUMENT without functions, and as `jsonSchemaConstraint`
 */
export const toolCallConstraint = async (
  tools: readonly Tool[],
  format: ToolCallFormat,
  tokenizer: TokenSource & MarkerSource,
  { parallel = false, otherwise, ...options }: ToolCallConstraintOptions = {},
): Promise<Constraint> => {
  if (tools.length === 0) throw new AwqError('INVALID_ARGUMENT', 'A call was asked for, but there are no functions.')
  const prepared = await prepareVocabulary(tokenizer)
  const calls: Call[] = []
  for (const { function: called } of tools) {
    const values = await preparedExpression(objectSchema(called.parameters), prepared, options)
    calls.push({ name: called.name, values })
  }
  const controlIds = toolCallMarkerIds(format, tokenizer)
  const marker = (spelling: string): Expression => {
    const id = tokenizer.tokenId(spelling)
    return id !== undefined && controlIds.includes(id) ? controlToken(id) : text(spelling)
  }
  const answer = otherwise === undefined ? none : await preparedExpression(otherwise, prepared, options)
  const language = choice(callsIn(format, calls, parallel ? mostCalls : 1, marker), answer)
  return expressionConstraint(language, prepared, controlIds)
}

interface Call {
  readonly name: string
  readonly values: Expression
}

/** Arguments are an object, whether their schema says so or not; without a schema there are none. */
const objectSchema = (parameters: unknown): unknown => {
  if (typeof parameters !== 'object' || parameters === null) return { type: 'object', properties: {}, maxProperties: 0 }
  if (Object.keys(parameters).length === 0) return { type: 'object', maxProperties: 0 }
  return { type: 'object', ...parameters }
}

type Marker = (spelling: string) => Expression

const callsIn = (format: ToolCallFormat, calls: readonly Call[], most: number, marker: Marker): Expression => {
  const { begin, end: close, keys } = format
  const object = ({ name, values }: Call): Expression =>
    objectOf([member(text(`"${keys.name}"`), text(JSON.stringify(name))), member(text(`"${keys.arguments}"`), values)])
  const one = choice(...calls.map(object))
  const several = (part: Expression, between: Expression): Expression =>
    sequence(part, repeat(sequence(between, part), 0, most - 1))
  const line = text('\n')
  switch (format.name) {
    case 'hermes':
    case 'functions':
      return several(sequence(marker(begin), line, one, line, marker(close)), line)
    case 'mistral':
    case 'list':
    case 'cohere': {
      const lists = Array.from({ length: most }, (_, i) => listOf(Array.from({ length: i + 1 }, () => one)))
      return sequence(marker(begin), choice(...lists), close === '' ? end : marker(close))
    }
    case 'mistral-args':
      return several(
        named(calls, (name) => [marker(begin), text(name), marker('[ARGS]')], end),
        end,
      )
    case 'deepseek': {
      const before = (name: string) => [
        marker(begin),
        text('function'),
        marker('<｜tool▁sep｜>'),
        text(`${name}\n\`\`\`json\n`),
      ]
      const part = named(calls, before, sequence(text('\n```'), marker(close)))
      return sequence(marker('<｜tool▁calls▁begin｜>'), several(part, line), marker('<｜tool▁calls▁end｜>'))
    }
    case 'llama':
      return several(one, text('; '))
    case 'json':
      return several(one, line)
  }
}

/** A name in front of the arguments instead of inside of an object. */
const named = (
  calls: readonly Call[],
  before: (name: string) => readonly Expression[],
  behind: Expression,
): Expression => choice(...calls.map(({ name, values }) => sequence(...before(name), values, behind)))
