/**
 * References, allOf, anyOf and oneOf of a JSON schema, worked out: what is left is a list of alternatives, each a list of
 * schemas without them that hold together.
 * @module
 */
import { checkedSchema, type SchemaObject, schemaError } from './schema-keywords.ts'

/** A schema where it stands. */
export interface Place {
  readonly schema: SchemaObject
  readonly path: string
}

/** Schemas that hold together. */
export type Conjunction = readonly Place[]

/** What a value that must not be at all is: a schema `false`. */
export type Alternatives = readonly Conjunction[]

/** A schema that was not looked at yet. */
export interface RawPlace {
  readonly schema: unknown
  readonly path: string
}

const mostAlternatives = 2000
const deepest = 64

/** Gives the alternatives of schemas that hold together, of one document. */
export type AlternativesOf = (places: readonly RawPlace[]) => Alternatives

/**
 * @param root the document that references point into
 * @param disjoint whether no value can be of both conjunctions: what `oneOf` asks for
 */
export const alternativesOf = (
  root: unknown,
  disjoint: (a: Conjunction, b: Conjunction) => boolean,
): AlternativesOf => {
  const checked = new WeakSet<object>()

  const product = (a: Alternatives, b: Alternatives, path: string): Alternatives => {
    if (a.length * b.length > mostAlternatives)
      throw schemaError(path, `has more than ${mostAlternatives} alternatives`)
    return a.flatMap((left) => b.map((right) => [...left, ...right]))
  }

  const branches = (list: readonly unknown[], path: string, open: ReadonlySet<object>): Alternatives[] =>
    list.map((schema, i) => expand({ schema, path: `${path}/${i}` }, open))

  const together = (places: readonly RawPlace[], path: string, open: ReadonlySet<object>): Alternatives =>
    places.reduce((all: Alternatives, place) => product(all, expand(place, open), path), [[]])

  const expand = ({ schema: given, path }: RawPlace, open: ReadonlySet<object>): Alternatives => {
    if (typeof given === 'object' && given !== null && open.has(given)) {
      // It refers to itself with nothing in between: that way leads to no value.
      return []
    }
    if (open.size > deepest) throw schemaError(path, `is nested more than ${deepest} deep without a value in between`)
    const schema =
      typeof given === 'object' && given !== null && checked.has(given)
        ? (given as SchemaObject)
        : checkedSchema(given, path)
    if (schema === true) return [[]]
    if (schema === false || schema.not !== undefined) return []
    checked.add(schema)
    const inside = new Set([...open, schema])
    let result: Alternatives = [[{ schema, path }]]
    if (schema.$ref !== undefined) {
      result = product(result, expand(resolved(root, schema.$ref, path), inside), path)
    }
    if (schema.allOf) {
      const parts = schema.allOf.map((part, i) => ({ schema: part, path: `${path}/allOf/${i}` }))
      result = product(result, together(parts, path, inside), path)
    }
    if (schema.anyOf) result = product(result, branches(schema.anyOf, `${path}/anyOf`, inside).flat(), path)
    if (schema.oneOf) {
      const ways = branches(schema.oneOf, `${path}/oneOf`, inside)
      for (const [i, a] of ways.entries()) {
        for (const [j, b] of ways.entries()) {
          if (i < j && !a.every((left) => b.every((right) => disjoint(left, right)))) {
            throw schemaError(path, `has "oneOf" whose branches ${i} and ${j} may both hold; use "anyOf"`)
          }
        }
      }
      result = product(result, ways.flat(), path)
    }
    if (schema.nullable) result = [...result, [{ schema: { type: 'null' }, path }]]
    return result
  }

  return (places) => together(places, places[0]?.path ?? '#', new Set())
}

/** What a reference points to: `#`, or a JSON pointer into the document. */
const resolved = (root: unknown, reference: string, path: string): RawPlace => {
  if (reference !== '#' && !reference.startsWith('#/')) {
    throw schemaError(
      path,
      `has the "$ref" ${JSON.stringify(reference)}; only pointers into the same schema (#/…) work`,
    )
  }
  let at = root
  for (const part of reference.split('/').slice(1)) {
    const key = decodePart(part)
    const inside = typeof at === 'object' && at !== null && Object.hasOwn(at, key)
    if (!inside) throw schemaError(path, `has the "$ref" ${JSON.stringify(reference)}, which points to nothing`)
    at = (at as Record<string, unknown>)[key]
  }
  return { schema: at, path: reference }
}

const decodePart = (part: string): string => {
  try {
    return decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')
  } catch {
    return part
  }
}
