import { quoted } from '@awq/tensor'
import type { z } from 'zod'
import { ApiError } from './api-error.ts'

type Issue = z.core.$ZodIssue

/** `['messages', 0, 'content']` -> `messages[0].content`. */
export const parameterPath = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : text === '' ? String(key) : `${text}.${String(key)}`),
    '',
  )

const valueAt = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (current, key) => (typeof current === 'object' && current !== null ? Reflect.get(current, key) : undefined),
    value,
  )

const article = (word: string): string => (/^[aeiou]/.test(word) ? `an ${word}` : `a ${word}`)

/** The kind of a JSON value, as OpenAI's messages name it. */
const kindOf = (value: unknown): string => {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'an integer' : 'a decimal'
  return article(typeof value)
}

const expectedWords: Readonly<Record<string, string>> = {
  int: 'an integer',
  number: 'a number',
  string: 'a string',
  boolean: 'a boolean',
  array: 'an array',
  object: 'an object',
  record: 'an object',
}

type UnionIssue = Extract<Issue, { code: 'invalid_union' }>

/**
 * Of the alternatives of a union, the first issue of the one that the value comes closest to: the deepest path, then one that
 * is about more than the type, then the fewest issues. Undefined when all are about the type alone.
 */
const closestBranch = (issue: UnionIssue): Issue | undefined => {
  const closeness = (issues: readonly Issue[]): number =>
    Math.max(...issues.map(({ path, code }) => 2 * path.length + Number(code !== 'invalid_type')))
  const branches = (issue.errors as readonly (readonly Issue[])[]).filter((issues) => issues.length > 0)
  const ranked = branches
    .map((issues) => ({ issues, closeness: closeness(issues) }))
    .sort((a, b) => b.closeness - a.closeness || a.issues.length - b.issues.length)
  const best = ranked[0]
  const first = best?.issues[0]
  return first && best.closeness > 0 ? { ...first, path: [...issue.path, ...first.path] } : undefined
}

/** What the alternatives of a union are, in words: `a string or an array`. */
const alternatives = (issue: UnionIssue): string => {
  const words = (issue.errors as readonly (readonly Issue[])[]).flatMap(([first]) =>
    first?.code === 'invalid_type' ? [expectedWords[first.expected] ?? first.expected] : [],
  )
  return [...new Set(words)].join(' or ')
}

const sizeMessage = (
  issue: Extract<Issue, { code: 'too_big' | 'too_small' }>,
  name: string,
  value: unknown,
): [string, string] => {
  const above = issue.code === 'too_big'
  const bound = above ? issue.maximum : issue.minimum
  const side = above ? 'above maximum' : 'below minimum'
  if (issue.origin === 'array' || issue.origin === 'set') {
    const size = Array.isArray(value) ? value.length : 0
    const words = `Expected an array with ${above ? 'at most' : 'at least'} ${bound} elements, but got ${size}`
    return [
      `Invalid '${name}': array too ${above ? 'long' : 'short'}. ${words} instead.`,
      `array_${side.replace(' ', '_')}_length`,
    ]
  }
  if (issue.origin === 'string') {
    const size = typeof value === 'string' ? value.length : 0
    const words = `Expected a string with ${above ? 'at most' : 'at least'} ${bound} characters, but got ${size}`
    return [
      `Invalid '${name}': string too ${above ? 'long' : 'short'}. ${words} instead.`,
      `string_${side.replace(' ', '_')}_length`,
    ]
  }
  const kind = Number.isInteger(value) ? 'integer' : 'decimal'
  const relation = `${above ? '<' : '>'}${issue.inclusive === false ? '' : '='}`
  return [
    `Invalid '${name}': ${kind} ${side} value. Expected a value ${relation} ${bound}, but got ${String(value)} instead.`,
    `${kind}_${side.replace(' ', '_')}_value`,
  ]
}

const unsupportedValue = (name: string, value: unknown, supported: readonly unknown[]): [string, string] => {
  const allowed = supported.map((word) => `'${String(word)}'`).join(', ')
  const got = typeof value === 'string' ? quoted(value) : kindOf(value)
  return [`Invalid value for '${name}': ${got}. Supported values are: ${allowed}.`, 'invalid_value']
}

const messageOf = (issue: Issue, name: string, value: unknown): [message: string, code: string] => {
  if (value === undefined) return [`Missing required parameter: '${name}'.`, 'missing_required_parameter']
  switch (issue.code) {
    case 'invalid_type': {
      const expected = expectedWords[issue.expected] ?? issue.expected
      return [`Invalid type for '${name}': expected ${expected}, but got ${kindOf(value)} instead.`, 'invalid_type']
    }
    case 'invalid_value':
      return unsupportedValue(name, value, issue.values)
    case 'too_big':
    case 'too_small':
      return sizeMessage(issue, name, value)
    case 'invalid_union': {
      // Newer than its type: what a discriminator may be.
      const { options } = issue as { options?: readonly unknown[] }
      if (options) return unsupportedValue(name, value, options)
      return [
        `Invalid type for '${name}': expected ${alternatives(issue)}, but got ${kindOf(value)} instead.`,
        'invalid_type',
      ]
    }
    case 'invalid_key':
      return [`Invalid '${name}': ${issue.issues[0]?.message ?? 'the key is not allowed'}.`, 'invalid_value']
    case 'custom':
      return [`Invalid '${name}': ${issue.message}.`, 'invalid_value']
    default:
      return [`Invalid '${name}': ${issue.message}.`, 'invalid_value']
  }
}

/** The first thing that is wrong with a value, as OpenAI's API says it. */
export const validationError = (error: z.ZodError, value: unknown): ApiError => {
  let issue = error.issues[0] as Issue
  for (let nested: Issue | undefined = issue; nested; ) {
    issue = nested
    nested = issue.code === 'invalid_union' ? closestBranch(issue) : undefined
  }
  const name = parameterPath(issue.path)
  if (name === '') return new ApiError(400, 'The body of the request must be a JSON object.', { code: 'invalid_type' })
  const [message, code] = messageOf(issue, name, valueAt(value, issue.path))
  return new ApiError(400, message, { param: name, code })
}

/** A body by its schema. @throws ApiError 400 */
export const parseBody = <S extends z.ZodType>(schema: S, value: unknown): z.output<S> => {
  const result = schema.safeParse(value)
  if (!result.success) throw validationError(result.error, value)
  return result.data
}
