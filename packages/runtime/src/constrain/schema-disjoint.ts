/**
 * Whether two schemas exclude each other, so that `oneOf` is the same as `anyOf`.
 * @module
 */
import { type MergedSchema, mergeSchemas, sameJson } from './merge-schemas.ts'
import type { AlternativesOf, Conjunction } from './schema-alternatives.ts'
import { satisfies } from './schema-strings.ts'

const deepest = 3

/** True when it is certain that nothing that is written for one of them is valid for the other. */
export const disjointIn = (alternatives: AlternativesOf, left: Conjunction, right: Conjunction, depth = 0): boolean => {
  if (depth > deepest) return false
  const a = mergeSchemas(left)
  const b = mergeSchemas(right)
  return excluded(alternatives, a, b, depth) && excluded(alternatives, b, a, depth)
}

/** Nothing that is written for `a` is valid for `b`. */
const excluded = (alternatives: AlternativesOf, a: MergedSchema, b: MergedSchema, depth: number): boolean => {
  if (a.values) {
    return a.values.every(
      (value) => !satisfies(value, b) || (b.values !== undefined && !b.values.some((other) => sameJson(value, other))),
    )
  }
  if (b.values) return b.values.every((value) => !satisfies(value, a))
  return [...a.types].every((type) => {
    // An integer may be written for a number, too.
    if (type === 'number' ? !b.declared.has('number') && !b.declared.has('integer') : !b.declared.has(type)) return true
    if (type === 'integer' || type === 'number') return apart(a, b)
    if (type === 'object') return objectsExcluded(alternatives, a, b, depth)
    if (type === 'array') return a.minItems > b.maxItems || a.maxItems < b.minItems
    return type === 'string' && (a.minLength > b.maxLength || a.maxLength < b.minLength)
  })
}

const apart = (a: MergedSchema, b: MergedSchema): boolean => {
  const low = (x: MergedSchema) => Math.max(x.minimum, x.exclusiveMinimum)
  const high = (x: MergedSchema) => Math.min(x.maximum, x.exclusiveMaximum)
  const touch = (x: MergedSchema, y: MergedSchema) =>
    high(x) < low(y) || (high(x) === low(y) && (x.exclusiveMaximum === high(x) || y.exclusiveMinimum === low(y)))
  return touch(a, b) || touch(b, a)
}

const objectsExcluded = (alternatives: AlternativesOf, a: MergedSchema, b: MergedSchema, depth: number): boolean => {
  // What b asks for, and a never writes.
  for (const name of b.required) if (!a.properties.has(name) && a.others === undefined) return true
  for (const name of a.required) {
    const own = a.properties.get(name)
    const other = b.properties.get(name)
    if (b.properties.has(name) ? other === undefined : b.closed) return true
    if (!own || !other) continue
    const ways = alternatives(other)
    const written = alternatives(own)
    if (written.every((x) => ways.every((y) => disjointIn(alternatives, x, y, depth + 1)))) return true
  }
  return false
}
