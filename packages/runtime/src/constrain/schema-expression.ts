/**
 * The documents that a JSON schema allows, as an expression.
 * @module
 */
import { AwqError, messageOf } from '@awq/tensor'
import { otherThan } from './characters.ts'
import { both, choice, type Expression, end, none, repeat, rule, sequence, text } from './expression.ts'
import { anyString, type Member, member, objectWith, several, space, stringOf } from './json-text.ts'
import { schemaError } from './schema-keywords.ts'
import { type ListShape, type ObjectShape, type RuleShape, schemaRules } from './schema-shapes.ts'

/** The longest schema, as JSON. */
const mostCharacters = 1_000_000

/**
 * JSON text of a schema, the key under which it is kept.
 * @throws AwqError INVALID_ARGUMENT for what is no schema, or too large
 */
export const schemaText = (schema: unknown): string => {
  let written: string | undefined
  try {
    written = JSON.stringify(schema)
  } catch (cause) {
    throw new AwqError('INVALID_ARGUMENT', `The JSON schema cannot be written as JSON: ${messageOf(cause)}`, { cause })
  }
  if (written === undefined) throw schemaError('#', 'is neither an object nor true or false')
  if (written.length > mostCharacters) throw schemaError('#', `has more than ${mostCharacters} characters`)
  return written
}

/**
 * An expression for all documents of a schema that are written: every one of them is valid, and there are valid ones that
 * are not written, such as those whose properties are in another order. A generator, which rests often.
 * @throws AwqError INVALID_ARGUMENT for schemas that are not supported, or that no finite document satisfies
 */
export function* schemaExpression(schema: unknown): Generator<void, Expression> {
  const rules = yield* schemaRules(schema)
  const possible = yield* possibleRules(rules)
  if (!possible[0]) {
    throw schemaError(
      '#',
      'allows no document: its keywords contradict each other, or it contains itself without an end',
    )
  }
  const expressions: Expression[] = rules.map((shape, number) =>
    possible[number] ? (shape.shapes.length === 0 ? shape.scalars : rule(() => expressionOf(shape))) : none,
  )
  const at = (number: number): Expression => expressions[number] as Expression
  const expressionOf = ({ scalars, shapes }: RuleShape): Expression =>
    choice(
      scalars,
      ...shapes.map((shape) => (shape.kind === 'list' ? listExpression(shape, at) : objectExpression(shape, at))),
    )
  // All of them are made now, so that what is wrong shows before anything is written.
  for (const [number, expression] of expressions.entries()) {
    if (expression.kind === 'rule' && rules[number]?.shapes.length) {
      const made = expression.expand()
      if (made === none) throw schemaError((rules[number] as RuleShape).path, 'allows no value')
    }
    yield
  }
  return at(0)
}

/** Which rules have a finite value: those that need no others, those that need only these, and so on. */
function* possibleRules(rules: readonly RuleShape[]): Generator<void, readonly boolean[]> {
  const possible = rules.map(({ scalars }) => scalars !== none)
  for (let found = true; found; ) {
    found = false
    for (const [number, { shapes }] of rules.entries()) {
      if (possible[number] || !shapes.some((shape) => isPossible(shape, possible))) continue
      possible[number] = true
      found = true
    }
    yield
  }
  return possible
}

const isPossible = (shape: ListShape | ObjectShape, possible: readonly boolean[]): boolean => {
  if (shape.least > shape.most) return false
  if (shape.kind === 'list') {
    const asked = shape.prefix.slice(0, shape.least)
    return asked.every((number) => possible[number]) && (shape.least <= asked.length || possible[shape.item] === true)
  }
  const { members, others, least, most } = shape
  if (!members.every(({ required, value }) => !required || possible[value])) return false
  const many = others !== undefined && others.name !== none && possible[others.value]
  const written = members.filter(({ value }) => possible[value])
  return written.filter(({ required }) => required).length <= most && (many || written.length >= least)
}

const listExpression = (shape: ListShape, at: (number: number) => Expression): Expression => {
  const { prefix, item, least, most } = shape
  if (prefix.length === 0) return several('[', at(item), least, most, ']')
  const close = sequence(space, text(']'))
  const comma = sequence(text(','), space)
  const rest =
    most > prefix.length && at(item) !== none
      ? repeat(sequence(comma, at(item)), Math.max(0, least - prefix.length), most - prefix.length)
      : least > prefix.length
        ? none
        : end
  let following = sequence(rest, close)
  for (let place = Math.min(prefix.length, most) - 1; place >= 0; place--) {
    const here = at(prefix[place] as number)
    const value = place === 0 ? here : sequence(comma, here)
    // The first item has no comma, and an empty list no space.
    const stop = place > 0 && place >= least ? close : none
    following = choice(stop, sequence(value, following))
  }
  const empty = least === 0 ? text('[]') : none
  return choice(empty, most < 1 ? none : sequence(text('['), space, following))
}

const objectExpression = (shape: ObjectShape, at: (number: number) => Expression): Expression => {
  const members: Member[] = shape.members.flatMap(({ name, value, required }) => {
    const expression = member(text(JSON.stringify(name)), at(value))
    return expression === none ? [] : [{ expression, required }]
  })
  if (shape.members.some(({ required, value }) => required && at(value) === none)) return none
  return objectWith(members, otherMember(shape, at), shape.least, shape.most)
}

/** A member that is not named in the schema: its name is none of those that are. */
const otherMember = ({ members, others }: ObjectShape, at: (number: number) => Expression): Expression | undefined => {
  if (!others || at(others.value) === none) return undefined
  const inside = members.length === 0 ? undefined : otherThan(members.map(({ name }) => name))
  const parts = [inside, others.name].filter((part) => part !== undefined)
  const name = parts.length === 0 ? anyString : stringOf(parts.reduce((a, b) => both(a, b)))
  const made = member(name, at(others.value))
  return made === none ? undefined : made
}
