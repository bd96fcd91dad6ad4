/**
 * Regular expressions of JSON schemas (those of ECMAScript) over the characters inside of a JSON string.
 * @module
 */
import { allCharacters, type CodePoints, complement, intersection, jsonCharacter, merged } from './characters.ts'
import { choice, type Expression, end, none, repeat, sequence } from './expression.ts'

const infinity = Number.POSITIVE_INFINITY
const digitRanges: CodePoints = [[48, 57]]
const wordRanges: CodePoints = merged([...digitRanges, [65, 90], [95, 95], [97, 122]])
const spaceRanges: CodePoints = merged(
  [9, 10, 11, 12, 13, 0x20, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000, 0xfeff]
    .map((code): [number, number] => [code, code])
    .concat([[0x2000, 0x200a]]),
)
const lineEnds: CodePoints = [
  [10, 10],
  [13, 13],
  [0x2028, 0x2029],
]

const classes: Readonly<Record<string, CodePoints>> = {
  d: digitRanges,
  D: complement(digitRanges),
  w: wordRanges,
  W: complement(wordRanges),
  s: spaceRanges,
  S: complement(spaceRanges),
}

const controls: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, 0: 0 }

/** Any text at all, in front of and behind a pattern without anchors. */
const anything = repeat(jsonCharacter(allCharacters), 0, infinity)

/** Repetitions inside of repetitions multiply; beyond this the ways to follow become too many. */
const mostRepetitions = 10_000
const longest = 5000
const deepest = 50

/** What is wrong with a pattern. */
export class PatternProblem extends Error {}

/**
 * The texts that contain a match of a pattern, as the inside of a JSON string. Groups, alternatives, classes, quantifiers,
 * `\d \w \s`, `\p{…}` and the anchors at the ends of an alternative are known; look-around, back references and `\b` are not.
 * @throws PatternProblem
 */
export const pattern = (source: string): Expression => {
  if (source.length > longest) throw new PatternProblem(`is longer than ${longest} characters`)
  const characters = [...source]
  let at = 0
  let depth = 0
  let product = 1

  const fail = (what: string): never => {
    throw new PatternProblem(`${what} (at character ${at + 1})`)
  }
  const peek = (ahead = 0): string | undefined => characters[at + ahead]
  const take = (expected: string): boolean => {
    if (peek() !== expected) return false
    at++
    return true
  }
  const number = (): number | undefined => {
    let found = ''
    while (/^\d$/.test(peek() ?? '')) found += characters[at++]
    return found === '' ? undefined : Number(found)
  }

  /** Alternatives; only those of the pattern itself, or of a group that is all of an alternative, may have anchors. */
  const alternatives = (whole: boolean): Expression => {
    if (++depth > deepest) fail('is nested too deeply')
    const parts: Expression[] = []
    do parts.push(alternative(whole))
    while (take('|'))
    depth--
    return choice(...parts)
  }

  const alternative = (whole: boolean): Expression => {
    const terms: Expression[] = []
    let begins = false
    let ends = false
    for (let c = peek(); c !== undefined && c !== '|' && c !== ')'; c = peek()) {
      if (c === '^') {
        if (!whole || terms.length > 0) fail("has '^' inside")
        at++
        begins = true
      } else if (c === '$') {
        at++
        const next = peek()
        if (!whole || (next !== undefined && next !== '|' && next !== ')' && next !== '$')) fail("has '$' inside")
        ends = true
      } else terms.push(quantified())
    }
    if (!whole) return sequence(...terms)
    return sequence(...(begins ? [] : [anything]), ...terms, ...(ends ? [] : [anything]))
  }

  const quantified = (): Expression => {
    const from = product
    const atom = term()
    const bounds = quantifier()
    if (!bounds) return atom
    take('?')
    const [least, most] = bounds
    if (least > most) fail('has a quantifier out of order')
    const finite = Number.isFinite(most) ? most : least
    product = Math.max(from, product * Math.max(1, finite))
    if (product > mostRepetitions) fail(`repeats more than ${mostRepetitions} times`)
    return repeat(atom, least, most)
  }

  const quantifier = (): [number, number] | undefined => {
    if (take('*')) return [0, infinity]
    if (take('+')) return [1, infinity]
    if (take('?')) return [0, 1]
    const start = at
    if (take('{')) {
      const least = number()
      const comma = take(',')
      const most = comma ? (number() ?? infinity) : least
      if (least !== undefined && most !== undefined && take('}')) return [least, most]
      at = start
      fail("has a '{' that is no quantifier")
    }
    return undefined
  }

  const term = (): Expression => {
    const c = characters[at++] as string
    // What is repeated inside of this term counts for itself.
    product = 1
    if (c === '.') return jsonCharacter(complement(lineEnds))
    if (c === '[') return jsonCharacter(set())
    if (c === '(') {
      if (take('?')) {
        if (take('<')) {
          if (peek() === '=' || peek() === '!') fail('looks around')
          while (peek() !== undefined && peek() !== '>') at++
          take('>')
        } else if (!take(':')) fail('looks around, or has flags')
      }
      const inner = alternatives(false)
      if (!take(')')) fail("lacks a ')'")
      return inner
    }
    if (c === '\\') {
      const named = escaped(false)
      return jsonCharacter(typeof named === 'number' ? [[named, named]] : named)
    }
    if (/^[*+?{}\])]$/.test(c)) fail(`has '${c}' where nothing is to repeat or close`)
    const code = c.codePointAt(0) as number
    return jsonCharacter([[code, code]])
  }

  const escaped = (inSet: boolean): number | CodePoints => {
    const c = characters[at++]
    if (c === undefined) return fail('ends with a backslash')
    const known = classes[c]
    if (known) return known
    if (c === 'p' || c === 'P') return property(c === 'P')
    if (c === 'x') return hex(2)
    if (c === 'u') {
      if (take('{')) {
        let digits = ''
        while (peek() !== undefined && peek() !== '}') digits += characters[at++]
        take('}')
        return code(digits)
      }
      const high = hex(4)
      if (high < 0xd800 || high > 0xdbff || peek() !== '\\' || peek(1) !== 'u') return high
      at += 2
      return 0x10000 + ((high - 0xd800) << 10) + (hex(4) - 0xdc00)
    }
    if (c === 'c' && /^[A-Za-z]$/.test(peek() ?? '')) return (characters[at++] as string).charCodeAt(0) % 32
    if (inSet && c === 'b') return 8
    const control = controls[c]
    if (control !== undefined && !(c === '0' && /^\d$/.test(peek() ?? ''))) return control
    if (/^[A-Za-z0-9]$/.test(c)) return fail(`has '\\${c}', which is not supported`)
    return c.codePointAt(0) as number
  }

  const hex = (count: number): number => {
    const digits = characters.slice(at, at + count).join('')
    at += count
    return digits.length === count ? code(digits) : fail('has an incomplete escape')
  }

  const code = (digits: string): number => {
    const value = /^[0-9A-Fa-f]{1,6}$/.test(digits) ? Number.parseInt(digits, 16) : Number.NaN
    return value <= 0x10ffff ? value : fail('has an escape that is no character')
  }

  const property = (negated: boolean): CodePoints => {
    if (!take('{')) fail("has '\\p' without braces")
    let name = ''
    while (peek() !== undefined && peek() !== '}') name += characters[at++]
    take('}')
    const ranges = propertyRanges(name) ?? fail(`has the unknown property '${name}'`)
    return negated ? complement(ranges) : ranges
  }

  const set = (): CodePoints => {
    const negated = take('^')
    const ranges: (readonly [number, number])[] = []
    const one = (): number | CodePoints => {
      const c = characters[at++]
      if (c === undefined) return fail("lacks a ']'")
      return c === '\\' ? escaped(true) : (c.codePointAt(0) as number)
    }
    while (!take(']')) {
      const from = one()
      if (typeof from !== 'number') {
        ranges.push(...from)
      } else if (peek() === '-' && peek(1) !== ']' && peek(1) !== undefined) {
        at++
        const to = one()
        if (typeof to !== 'number') ranges.push([from, from], [45, 45], ...to)
        else if (to < from) fail('has a range out of order')
        else ranges.push([from, to])
      } else ranges.push([from, from])
    }
    return negated ? complement(ranges) : intersection(merged(ranges), allCharacters)
  }

  const result = alternatives(true)
  if (at < characters.length) fail("has a ')' too many")
  if (result === none) fail('matches nothing')
  return result === end ? end : result
}

const properties = new Map<string, CodePoints | undefined>()

/** The characters of a Unicode property, as the engine's own regular expressions know it. */
const propertyRanges = (name: string): CodePoints | undefined => {
  if (!/^[A-Za-z_]{1,40}(=[A-Za-z_]{1,40})?$/.test(name)) return undefined
  if (!properties.has(name)) properties.set(name, findProperty(name))
  return properties.get(name)
}

const findProperty = (name: string): CodePoints | undefined => {
  let test: RegExp
  try {
    test = new RegExp(`^\\p{${name}}$`, 'u')
  } catch {
    return undefined
  }
  const ranges: [number, number][] = []
  for (let code = 0; code <= 0x10ffff; code++) {
    if ((code >= 0xd800 && code <= 0xdfff) || !test.test(String.fromCodePoint(code))) continue
    const last = ranges[ranges.length - 1]
    if (last && last[1] === code - 1) last[1] = code
    else ranges.push([code, code])
  }
  return ranges
}
