/**
 * Characters as bytes: UTF-8, and the way JSON writes them inside of strings.
 * @module
 */
import { byteSet } from './byte-set.ts'
import { bytes, choice, type Expression, end, repeat, sequence, text } from './expression.ts'

/** Code points from the first to the last, in increasing order without overlaps. */
export type CodePoints = readonly (readonly [low: number, high: number])[]

const lastCodePoint = 0x10ffff

/** Every code point that is a character; halves of surrogate pairs are none. */
export const allCharacters: CodePoints = [
  [0, 0xd7ff],
  [0xe000, lastCodePoint],
]

/** Sorts ranges and joins those that touch. */
export const merged = (ranges: CodePoints): CodePoints => {
  const result: [number, number][] = []
  for (const [low, high] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = result[result.length - 1]
    if (last && low <= last[1] + 1) last[1] = Math.max(last[1], high)
    else result.push([low, high])
  }
  return result
}

/** The characters that are not in some ranges. */
export const complement = (ranges: CodePoints): CodePoints => intersection(gaps(ranges), allCharacters)

const gaps = (ranges: CodePoints): CodePoints => {
  const result: [number, number][] = []
  let from = 0
  for (const [low, high] of merged(ranges)) {
    if (low > from) result.push([from, low - 1])
    from = high + 1
  }
  if (from <= lastCodePoint) result.push([from, lastCodePoint])
  return result
}

export const intersection = (a: CodePoints, b: CodePoints): CodePoints => {
  const result: [number, number][] = []
  for (const [low, high] of a) {
    for (const [from, to] of b) {
      if (Math.max(low, from) <= Math.min(high, to)) result.push([Math.max(low, from), Math.min(high, to)])
    }
  }
  return merged(result)
}

/** Where the number of bytes of UTF-8 changes, and the byte that a first byte is added to. */
const lengths = [
  { last: 0x7f, lead: 0, more: 0 },
  { last: 0x7ff, lead: 0xc0, more: 1 },
  { last: 0xffff, lead: 0xe0, more: 2 },
  { last: lastCodePoint, lead: 0xf0, more: 3 },
] as const

/** One character of some ranges, in UTF-8. */
export const utf8Character = (ranges: CodePoints): Expression => {
  const parts: Expression[] = []
  for (const [low, high] of intersection(ranges, allCharacters)) {
    let from = low
    for (const { last, lead, more } of lengths) {
      if (from > high || from > last) continue
      parts.push(spelled(from, Math.min(high, last), more, lead))
      from = last + 1
    }
  }
  return choice(...parts)
}

/** Code points of so many continuation bytes: split where the ranges of later bytes are not all of them. */
const spelled = (low: number, high: number, more: number, lead: number): Expression => {
  if (more === 0) return bytes(byteSet([lead | low, lead | high]))
  const unit = 64 ** more
  const first = Math.floor(low / unit)
  const last = Math.floor(high / unit)
  const one = (head: number, from: number, to: number) =>
    sequence(bytes(byteSet([lead | head, lead | head])), spelled(from, to, more - 1, 0x80))
  if (first === last) return one(first, low % unit, high % unit)
  const parts: Expression[] = []
  let from = first
  let to = last
  if (low % unit !== 0) parts.push(one(from++, low % unit, unit - 1))
  if (high % unit !== unit - 1) parts.push(one(to--, 0, high % unit))
  if (from <= to) {
    parts.push(sequence(bytes(byteSet([lead | from, lead | to])), spelled(0, unit - 1, more - 1, 0x80)))
  }
  return choice(...parts)
}

const short: ReadonlyMap<number, string> = new Map([
  [0x22, '\\"'],
  [0x5c, '\\\\'],
  [0x08, '\\b'],
  [0x09, '\\t'],
  [0x0a, '\\n'],
  [0x0c, '\\f'],
  [0x0d, '\\r'],
])

const escaped: CodePoints = [
  [0, 0x1f],
  [0x22, 0x22],
  [0x5c, 0x5c],
]

/** One character of some ranges as `JSON.stringify` writes it inside of a string. */
export const jsonCharacter = (ranges: CodePoints): Expression => {
  const parts = [utf8Character(intersection(ranges, complement(escaped)))]
  for (const [low, high] of intersection(ranges, escaped)) {
    for (let code = low; code <= high; code++) {
      parts.push(text(short.get(code) ?? `\\u${code.toString(16).padStart(4, '0')}`))
    }
  }
  return choice(...parts)
}

const hex = byteSet([48, 57], [65, 70], [97, 102])
const sets = {
  hex: bytes(hex),
  d: bytes(byteSet([68, 68], [100, 100])),
  notD: bytes(byteSet([48, 57], [65, 67], [69, 70], [97, 99], [101, 102])),
  low: bytes(byteSet([48, 55])),
  high: bytes(byteSet([56, 57], [65, 66], [97, 98])),
  second: bytes(byteSet([67, 70], [99, 102])),
}

/** Any character in a JSON string in any of the ways that JSON allows; surrogates only in pairs. */
export const anyJsonCharacter: Expression = choice(
  jsonCharacter(allCharacters),
  text('\\/'),
  sequence(
    text('\\u'),
    choice(
      sequence(sets.notD, sets.hex, sets.hex, sets.hex),
      sequence(sets.d, sets.low, sets.hex, sets.hex),
      sequence(sets.d, sets.high, sets.hex, sets.hex, text('\\u'), sets.d, sets.second, sets.hex, sets.hex),
    ),
  ),
)

/** Any text but these, as the inside of a JSON string without escapes. */
export const otherThan = (texts: readonly string[]): Expression => {
  const plain = jsonCharacterWithoutEscapes(allCharacters)
  const anything = repeat(plain, 0, Number.POSITIVE_INFINITY)
  const build = (left: readonly string[][]): Expression => {
    const groups = new Map<number, string[][]>()
    let ends = false
    for (const characters of left) {
      const [first, ...rest] = characters
      if (first === undefined) ends = true
      else {
        const code = first.codePointAt(0) as number
        groups.set(code, [...(groups.get(code) ?? []), rest])
      }
    }
    const codes = [...groups.keys()]
    const others = sequence(jsonCharacterWithoutEscapes(complement(codes.map((code) => [code, code]))), anything)
    const branches = [...groups].map(([code, rests]) =>
      sequence(jsonCharacterWithoutEscapes([[code, code]]), build(rests)),
    )
    return ends ? choice(others, ...branches) : choice(end, others, ...branches)
  }
  return build(texts.map((characters) => [...characters]))
}

const jsonCharacterWithoutEscapes = (ranges: CodePoints): Expression =>
  utf8Character(intersection(ranges, complement(escaped)))
