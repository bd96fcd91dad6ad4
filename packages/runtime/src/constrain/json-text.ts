/**
 * JSON as expressions: strings, literals, lists, objects, and the white space between them.
 * @module
 */
import { byteSet } from './byte-set.ts'
import { anyJsonCharacter } from './characters.ts'
import { bytes, choice, type Expression, end, none, repeat, rule, sequence, text, unit } from './expression.ts'
import { anyInteger, anyNumber } from './numbers.ts'

const infinity = Number.POSITIVE_INFINITY

/**
 * White space: none, a space, or a new line with an indentation. It is bounded, so that no model can write nothing but
 * white space for ever.
 */
export const space: Expression = choice(
  end,
  text(' '),
  sequence(text('\n'), repeat(bytes(byteSet([9, 9], [32, 32])), 0, 32)),
)

const quote = text('"')

/** A string whose inside, without the quotes, is of a language. */
export const stringOf = (inside: Expression): Expression => unit(sequence(quote, inside, quote))

/** A string of so many characters. */
export const stringOfLength = (least: number, most: number): Expression => repeat(anyJsonCharacter, least, most)

/** The inside of a string as it stands. */
export const textInside = (value: string): Expression => text(JSON.stringify(value).slice(1, -1))

export const anyString: Expression = stringOf(stringOfLength(0, infinity))

/** A value as it stands, with white space where it may be. */
export const literal = (value: unknown): Expression => {
  if (Array.isArray(value)) return listOf(value.map(literal))
  if (typeof value === 'object' && value !== null) {
    return objectOf(Object.entries(value).map(([key, of]) => member(text(JSON.stringify(key)), literal(of))))
  }
  return text(JSON.stringify(value))
}

/** A key, a colon and a value. */
export const member = (key: Expression, value: Expression): Expression =>
  value === none || key === none ? none : sequence(key, text(':'), space, value)

const comma = sequence(text(','), space)

/** What stands between brackets, one or more things with commas between them. */
const between = (open: string, things: readonly Expression[], close: string): Expression =>
  things.length === 0
    ? text(open + close)
    : sequence(
        text(open),
        space,
        ...things.flatMap((thing, index) => (index === 0 ? [thing] : [comma, thing])),
        space,
        text(close),
      )

export const listOf = (items: readonly Expression[]): Expression => between('[', items, ']')
export const objectOf = (members: readonly Expression[]): Expression => between('{', members, '}')

/** From `least` to `most` things of a kind, with commas. */
export const several = (open: string, thing: Expression, least: number, most: number, close: string): Expression => {
  const empty = least === 0 ? text(open + close) : none
  if (most < 1 || thing === none) return empty
  const more = repeat(sequence(comma, thing), Math.max(0, least - 1), most - 1)
  return choice(empty, sequence(text(open), space, thing, more, space, text(close)))
}

/** The members of an object in their order, some of which may be left out. */
export interface Member {
  readonly expression: Expression
  readonly required: boolean
}

/**
 * An object of members in a fixed order, with others behind them where `other` is given, and from `least` to `most` of
 * them altogether.
 */
export const objectWith = (
  members: readonly Member[],
  other: Expression | undefined,
  least: number,
  most: number,
): Expression => {
  const { length } = members
  /** Required members from each place on. */
  const owed: number[] = [0]
  for (const { required } of [...members].reverse()) owed.unshift((owed[0] as number) + (required ? 1 : 0))
  const parts = new Map<string, Expression>()
  const part = (kind: string, place: number, count: number, make: () => Expression): Expression => {
    const key = `${kind}${place},${count}`
    const found = parts.get(key) ?? make()
    parts.set(key, found)
    return found
  }
  const possible = (place: number, count: number): boolean =>
    count + (owed[place] as number) <= most && (other !== undefined || count + length - place >= least)

  /** A member from `place` on, when `count` were written. */
  const next = (place: number, count: number): Expression =>
    part('n', place, count, () => {
      const ways: Expression[] = []
      for (let at = place; at < length; at++) {
        const { expression, required } = members[at] as Member
        if (possible(at + 1, count + 1)) ways.push(sequence(expression, after(at + 1, count + 1)))
        if (required) return choice(...ways)
      }
      if (other !== undefined && count < most) {
        const rest = repeat(sequence(comma, other), Math.max(0, least - count - 1), most - count - 1)
        ways.push(sequence(other, rest, space, text('}')))
      }
      return choice(...ways)
    })
  const canGoOn = (place: number, count: number): boolean =>
    count < most && (place < length || other !== undefined) && possible(place, count)
  /** What follows a member: the end, or a comma and another. */
  const after = (place: number, count: number): Expression =>
    part('a', place, count, () => {
      const stop = owed[place] === 0 && count >= least
      const close = stop ? sequence(space, text('}')) : none
      if (!canGoOn(place, count)) return close
      return choice(
        close,
        sequence(
          comma,
          rule(() => next(place, count)),
        ),
      )
    })

  if (least > most || !possible(0, 0)) return none
  const empty = owed[0] === 0 && least === 0 ? text('{}') : none
  if (!canGoOn(0, 0)) return empty
  return choice(
    empty,
    sequence(
      text('{'),
      space,
      rule(() => next(0, 0)),
    ),
  )
}

/** Any value. */
export const anyValue: Expression = rule(() => {
  const { null: nothing, boolean, number, string, array, object } = anyOfType
  return choice(nothing, boolean, number, string, array, object)
})

/** Any value of a type. */
export const anyOfType = {
  null: text('null'),
  boolean: choice(text('true'), text('false')),
  integer: unit(anyInteger),
  number: unit(anyNumber),
  string: anyString,
  array: several('[', anyValue, 0, infinity, ']'),
  object: several('{', member(anyString, anyValue), 0, infinity, '}'),
} as const
