/**
 * What a JSON schema allows at each place of a document: scalars as expressions, lists and objects as shapes whose parts
 * are places again. Every set of schemas that holds at some place is one rule, so recursive schemas have few of them.
 * @module
 */
import { choice, type Expression, none } from './expression.ts'
import { anyValue, textInside } from './json-text.ts'
import { mergeSchemas } from './merge-schemas.ts'
import { alternativesOf, type Conjunction, type RawPlace } from './schema-alternatives.ts'
import { disjointIn } from './schema-disjoint.ts'
import { allowsAll, schemaError } from './schema-keywords.ts'
import { listed, scalar, stringInside } from './schema-strings.ts'

/** A rule, by its number. */
export type RuleNumber = number

export interface ListShape {
  readonly kind: 'list'
  readonly prefix: readonly RuleNumber[]
  /** The items behind the prefix. */
  readonly item: RuleNumber
  readonly least: number
  readonly most: number
}

export interface ObjectShape {
  readonly kind: 'object'
  readonly members: readonly { readonly name: string; readonly value: RuleNumber; readonly required: boolean }[]
  /** Other members: the inside of their names, where that is given, and their values. */
  readonly others: { readonly name: Expression | undefined; readonly value: RuleNumber } | undefined
  readonly least: number
  readonly most: number
}

/** What may stand at a place. */
export interface RuleShape {
  readonly path: string
  readonly scalars: Expression
  readonly shapes: readonly (ListShape | ObjectShape)[]
}

const mostRules = 5000
const mostMembers = 2000

/**
 * The rules of a schema; the first is that of the whole document. A generator, which rests after every rule.
 * @throws AwqError INVALID_ARGUMENT that names the place and the keyword that is not supported
 */
export function* schemaRules(root: unknown): Generator<void, readonly RuleShape[]> {
  const numbers = new Map<string, RuleNumber>()
  const open: (readonly RawPlace[])[] = []
  const identities = new Map<unknown, number>()
  const identity = (schema: unknown): number => {
    const known = identities.get(schema) ?? identities.size
    identities.set(schema, known)
    return known
  }
  const ruleOf = (places: readonly RawPlace[]): RuleNumber => {
    const key = [...new Set(places.map(({ schema }) => identity(schema)))].sort((a, b) => a - b).join()
    const known = numbers.get(key)
    if (known !== undefined) return known
    if (numbers.size >= mostRules) throw schemaError('#', `has more than ${mostRules} places`)
    numbers.set(key, numbers.size)
    open.push(places)
    return numbers.size - 1
  }
  const alternatives = alternativesOf(root, (a, b) => disjointIn(alternatives, a, b))

  const shapesOf = (conjunction: Conjunction): { scalars: Expression; shapes: (ListShape | ObjectShape)[] } => {
    if (conjunction.every(({ schema }) => allowsAll(schema))) return { scalars: anyValue, shapes: [] }
    const schema = mergeSchemas(conjunction)
    if (schema.values) return { scalars: listed(schema.values, schema), shapes: [] }
    const scalars: Expression[] = []
    const shapes: (ListShape | ObjectShape)[] = []
    for (const type of schema.types) {
      if (type === 'integer' && schema.types.has('number')) continue
      const found = scalar(type, schema)
      if (found) scalars.push(found)
      else if (type === 'array') shapes.push(listShape(schema))
      else shapes.push(objectShape(schema))
    }
    return { scalars: choice(...scalars), shapes }
  }

  const listShape = (schema: ReturnType<typeof mergeSchemas>): ListShape => {
    const { prefix, items, minItems } = schema
    // Behind a prefix nothing more is written unless the schema speaks of it.
    const closed = prefix.length > 0 && items.length === 0 && minItems <= prefix.length
    return {
      kind: 'list',
      prefix: prefix.map(ruleOf),
      item: ruleOf(items),
      least: minItems,
      most: closed ? Math.min(schema.maxItems, prefix.length) : schema.maxItems,
    }
  }

  const objectShape = (schema: ReturnType<typeof mergeSchemas>): ObjectShape => {
    const { path, properties, required, others, names } = schema
    if (properties.size > mostMembers) throw schemaError(path, `has more than ${mostMembers} properties`)
    const named = names.length === 0 ? undefined : nameInside(names)
    const pattern = others?.pattern
    const patterned =
      pattern === undefined ? [] : [{ schema: { type: 'string', pattern }, path: `${path}/patternProperties` }]
    const name = named === undefined && pattern === undefined ? undefined : nameInside([...names, ...patterned])
    return {
      kind: 'object',
      members: [...properties].flatMap(([key, places]) => [
        { name: key, value: places ? ruleOf(places) : ruleOf([{ schema: false, path }]), required: required.has(key) },
      ]),
      others: others && { name, value: ruleOf(others.places) },
      least: schema.minProperties,
      most: schema.maxProperties,
    }
  }

  /** The inside of the names that schemas of names allow. */
  const nameInside = (places: readonly RawPlace[]): Expression =>
    choice(
      ...alternatives([...places, { schema: { type: 'string' }, path: '#' }]).map((conjunction) => {
        const schema = mergeSchemas(conjunction)
        if (!schema.types.has('string')) return none
        return schema.values ? listedNames(schema.values) : stringInside(schema)
      }),
    )

  const listedNames = (values: readonly unknown[]): Expression =>
    choice(...values.flatMap((value) => (typeof value === 'string' ? [textInside(value)] : [])))

  ruleOf([{ schema: root, path: '#' }])
  const rules: RuleShape[] = []
  for (let places = open.shift(); places !== undefined; places = open.shift()) {
    const found = alternatives(places).map(shapesOf)
    rules.push({
      path: places[0]?.path ?? '#',
      scalars: choice(...found.map(({ scalars }) => scalars)),
      shapes: found.flatMap(({ shapes }) => shapes),
    })
    yield
  }
  return rules
}
