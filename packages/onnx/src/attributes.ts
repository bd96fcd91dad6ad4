import type { AttributeKind, AttributeRow } from './ops/row.ts'
import { isOnnxType } from './types.ts'

/** Attribute values as a caller gave them. */
export type GivenAttributes = Readonly<Record<string, unknown>>

const isInteger = (value: unknown) => Number.isSafeInteger(value)
const isFloat = (value: unknown) => typeof value === 'number' && !Number.isNaN(value)

const checks: Readonly<Record<AttributeKind, readonly [test: (value: unknown) => boolean, description: string]>> = {
  int: [isInteger, 'an integer'],
  float: [isFloat, 'a number'],
  string: [(value) => typeof value === 'string', 'a string'],
  ints: [(value) => Array.isArray(value) && value.every(isInteger), 'an array of integers'],
  floats: [(value) => Array.isArray(value) && value.every(isFloat), 'an array of numbers'],
  type: [isOnnxType, "an element type such as 'float32'"],
  fill: [
    (value) => {
      const { dtype, value: number } = Object(value) as { dtype?: unknown; value?: unknown }
      return isOnnxType(dtype) && isFloat(number)
    },
    "{ dtype: 'float32', value: 0 }",
  ],
}

/**
 * The given attributes without those that are undefined. Calls `fail` for an attribute the operator does not have, a
 * value of the wrong kind, one that is not among the allowed, and a required one that is missing.
 */
export function checkAttributes(
  rows: Readonly<Record<string, AttributeRow>>,
  given: GivenAttributes,
  fail: (problem: string) => never,
): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue
    const row = Object.hasOwn(rows, name) ? rows[name] : undefined
    if (!row) return fail(`there is no attribute '${name}' (known: ${Object.keys(rows).join(', ') || 'none'})`)
    const [test, description] = checks[row.kind]
    if (!test(value)) fail(`attribute '${name}' must be ${description}, not ${JSON.stringify(value)}`)
    if (row.choices && !row.choices.includes(value as never)) {
      fail(`attribute '${name}' must be one of ${row.choices.join(', ')}, not ${JSON.stringify(value)}`)
    }
    result[name] = value
  }
  for (const [name, row] of Object.entries(rows)) {
    if (row.required && result[name] === undefined) fail(`attribute '${name}' is required`)
  }
  return result
}
