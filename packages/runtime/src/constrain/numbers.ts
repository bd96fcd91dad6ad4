/**
 * Numbers of JSON, within bounds, as texts. Digits are limited, so that a text of digits ends and stands for the number
 * that it shows in float64.
 * @module
 */
import { byteSet } from './byte-set.ts'
import { both, bytes, choice, type Expression, end, none, repeat, residue, sequence, text } from './expression.ts'

/** Integers have at most so many digits: all of them are exact in float64. */
export const mostDigits = 15
const largestInteger = 10 ** mostDigits - 1

const digits = (low: number, high: number): Expression => (low > high ? none : bytes(byteSet([48 + low, 48 + high])))
const digit = digits(0, 9)
const someDigits = (least: number, most: number): Expression => repeat(digit, least, most)
const minus = text('-')

/** Any integer. */
export const anyInteger: Expression = choice(
  text('0'),
  sequence(repeat(minus, 0, 1), digits(1, 9), someDigits(0, mostDigits - 1)),
)

/** Any number; exponents have two digits. */
export const anyNumber: Expression = sequence(
  repeat(minus, 0, 1),
  choice(text('0'), sequence(digits(1, 9), someDigits(0, mostDigits - 1))),
  repeat(sequence(text('.'), someDigits(1, mostDigits)), 0, 1),
  repeat(
    sequence(bytes(byteSet([69, 69], [101, 101])), repeat(bytes(byteSet([43, 43], [45, 45])), 0, 1), someDigits(1, 2)),
    0,
    1,
  ),
)

/** Texts of digits, as many as both bounds have, from one to the other. */
const sameLength = (low: string, high: string): Expression => {
  if (/^0*$/.test(low) && /^9*$/.test(high)) return someDigits(low.length, low.length)
  const [first, last] = [Number(low[0]), Number(high[0])]
  const rest = low.length - 1
  if (first === last) return sequence(text(low[0] as string), sameLength(low.slice(1), high.slice(1)))
  return choice(
    sequence(digits(first, first), sameLength(low.slice(1), '9'.repeat(rest))),
    sequence(digits(first + 1, last - 1), someDigits(rest, rest)),
    sequence(digits(last, last), sameLength('0'.repeat(rest), high.slice(1))),
  )
}

/** Integers from 0 on, without leading zeros. */
const naturals = (low: number, high: number): Expression => {
  if (low > high) return none
  const parts: Expression[] = []
  for (let from = low; from <= high; ) {
    const length = String(from).length
    const to = Math.min(high, 10 ** length - 1)
    parts.push(sameLength(String(from), String(to)))
    from = to + 1
  }
  return choice(...parts)
}

/** Bounds of a number; those left out are none. */
export interface Bounds {
  readonly minimum: number
  readonly maximum: number
  readonly exclusiveMinimum: number
  readonly exclusiveMaximum: number
}

/** Integers within bounds that are multiples of all `divisors`; `none` where there are none of at most 15 digits. */
export const integers = (bounds: Bounds, divisors: readonly number[] = []): Expression => {
  const low = Math.max(-largestInteger, Math.ceil(bounds.minimum), Math.floor(bounds.exclusiveMinimum) + 1)
  const high = Math.min(largestInteger, Math.floor(bounds.maximum), Math.ceil(bounds.exclusiveMaximum) - 1)
  const within = choice(sequence(minus, naturals(Math.max(1, -high), -low)), naturals(Math.max(0, low), high))
  return divisors.reduce(
    (all, divisor) => both(all, choice(residue(divisor), sequence(minus, residue(divisor)))),
    within,
  )
}

/** The digits of a number of at least 0: before the point, and behind it without zeros at the end. */
interface Decimal {
  readonly whole: number
  readonly fraction: string
}

const decimalOf = (x: number): Decimal => {
  const [mantissa = '', exponent = '0'] = String(x).split('e')
  const [whole = '0', fraction = ''] = mantissa.split('.')
  const shift = Number(exponent)
  if (shift > 0) return { whole: x, fraction: '' }
  if (shift === 0) return { whole: Number(whole), fraction }
  return { whole: 0, fraction: `${'0'.repeat(-shift)}${whole}`.slice(shift) + fraction }
}

/** Digits behind those that a bound has: few enough that a double tells the number from the bound. */
const more = 5
const largestBounded = 10 ** 9 - 1

/** Digits behind a point, of which one at least is not 0. */
const notZero = sequence(someDigits(0, more), digits(1, 9), someDigits(0, 1))

/** What may stand behind the digits before the point: fractions of at least `fraction`, or of more than it. */
const above = (fraction: string, exclusive: boolean): Expression => {
  if (fraction === '' && !exclusive) return repeat(sequence(text('.'), someDigits(1, more)), 0, 1)
  const from = (left: string): Expression => {
    if (left === '') return exclusive ? notZero : someDigits(0, more)
    const first = Number(left[0])
    return choice(
      sequence(digits(first + 1, 9), someDigits(0, more)),
      sequence(digits(first, first), from(left.slice(1))),
    )
  }
  return sequence(text('.'), from(fraction))
}

/** Fractions of at most `fraction`, or of less than it. */
const below = (fraction: string, exclusive: boolean): Expression => {
  if (fraction === '') return exclusive ? none : repeat(sequence(text('.'), repeat(text('0'), 1, 2)), 0, 1)
  const upTo = (left: string): Expression => {
    if (left === '') return exclusive ? none : end
    const first = Number(left[0])
    const rest = upTo(left.slice(1))
    return choice(
      sequence(digits(0, first - 1), someDigits(0, more)),
      sequence(digits(first, first), left.length === 1 ? rest : choice(rest, end)),
    )
  }
  return choice(end, sequence(text('.'), upTo(fraction)))
}

/** A bound: the number, and whether it is itself left out. */
interface Edge {
  readonly at: number
  readonly exclusive: boolean
}

/** Numbers from 0 on between two edges. */
const fromZero = (low: Edge, high: Edge): Expression => {
  if (low.at > high.at || (low.at === high.at && (low.exclusive || high.exclusive))) return none
  const a = decimalOf(low.at)
  const b = decimalOf(high.at)
  const up = above(a.fraction, low.exclusive)
  const down = below(b.fraction, high.exclusive)
  if (a.whole === b.whole) return sequence(naturals(a.whole, a.whole), both(up, down))
  return choice(
    sequence(naturals(a.whole, a.whole), up),
    sequence(naturals(a.whole + 1, b.whole - 1), above('', false)),
    sequence(naturals(b.whole, b.whole), down),
  )
}

/** Numbers within bounds, without exponents; without any bound `anyNumber`. */
export const numbers = (bounds: Bounds): Expression => {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = bounds
  const low: Edge =
    exclusiveMinimum >= minimum ? { at: exclusiveMinimum, exclusive: true } : { at: minimum, exclusive: false }
  const high: Edge =
    exclusiveMaximum <= maximum ? { at: exclusiveMaximum, exclusive: true } : { at: maximum, exclusive: false }
  if (low.at === -Infinity && high.at === Infinity) return anyNumber
  const most = Math.max(
    largestBounded,
    ...[low.at, high.at].filter(Number.isFinite).map((x) => Math.min(largestInteger, 10 * Math.ceil(Math.abs(x)))),
  )
  const inside = (edge: Edge, bound: number): Edge =>
    Math.abs(edge.at) > most ? { at: Math.sign(edge.at) * bound, exclusive: false } : edge
  if (low.at > most || high.at < -most) return none
  const from = inside(low, most)
  const to = inside(high, most)
  const zero: Edge = { at: 0, exclusive: false }
  const turned = (edge: Edge): Edge => ({ at: Math.max(0, -edge.at), exclusive: edge.exclusive && edge.at <= 0 })
  const positive = to.at < 0 ? none : fromZero(from.at < 0 ? zero : from, to)
  // "-0" is 0 and left to the other side.
  const negative = from.at < 0 ? fromZero(to.at < 0 ? turned(to) : { at: 0, exclusive: true }, turned(from)) : none
  return choice(positive, sequence(minus, negative))
}
