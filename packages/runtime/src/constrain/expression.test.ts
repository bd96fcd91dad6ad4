import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { allCharacters, anyJsonCharacter, complement, jsonCharacter, otherThan, utf8Character } from './characters.ts'
import { both, choice, derive, type Expression, end, none, repeat, sequence, text } from './expression.ts'
import { integers, numbers } from './numbers.ts'
import { PatternProblem, pattern } from './pattern.ts'
import { stringFormats } from './string-formats.ts'

const utf8 = new TextEncoder()

const accepts = (language: Expression, written: string): boolean => {
  let state = language
  for (const byte of utf8.encode(written)) state = derive(state, byte)
  return state.nullable
}

/** A text as JSON writes it, without the quotes. */
const inside = (value: string) => JSON.stringify(value).slice(1, -1)

describe('expressions', () => {
  it('that are equal are one object', () => {
    expect(sequence(text('ab'), text('c'))).toBe(sequence(text('ab'), text('c')))
    expect(choice(text('abc'), text('abd'))).toBe(choice(text('abd'), none, text('abc')))
  })

  it('count, also where a part may be empty', () => {
    for (const [n, expected] of [1, 2, 3, 4].map((n) => [n, n >= 2 && n <= 3] as const)) {
      expect(accepts(repeat(text('ab'), 2, 3), 'ab'.repeat(n))).toBe(expected)
    }
    expect(accepts(repeat(choice(end, text('a')), 2, 3), '')).toBe(true)
    expect(accepts(repeat(repeat(text('a'), 0, Infinity), 0, Infinity), 'aaaa')).toBe(true)
  })

  it('in common are none where there is nothing in common', () => {
    expect(both(text('a'), text('b'))).toBe(none)
    expect(both(repeat(text('ab'), 1, 9), repeat(text('a'), 0, 9))).toBe(none)
    const even = repeat(text('aa'), 1, 50)
    expect(both(even, repeat(text('a'), 7, 7))).toBe(none)
    expect(accepts(both(even, repeat(text('a'), 7, 8)), 'a'.repeat(8))).toBe(true)
  })

  it('stay small where ways meet again', () => {
    const nested = repeat(repeat(choice(text('a'), text('aa')), 1, 50), 1, 50)
    let state: Expression = nested
    for (let i = 0; i < 300; i++) state = derive(state, 97)
    expect(state.kind === 'choice' ? state.members.length : 1).toBeLessThanOrEqual(512)
  })
})

describe('characters', () => {
  it('are written in UTF-8, every one of a range and no other', () => {
    const bounds = fc
      .tuple(fc.nat(0x10ffff), fc.nat(0x10ffff))
      .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const)
    fc.assert(
      fc.property(
        bounds,
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
        fc.nat(0x10ffff),
        (range, c, n) => {
          const language = utf8Character([range])
          for (const code of [c.codePointAt(0)!, n, range[0], range[1]]) {
            if (code >= 0xd800 && code <= 0xdfff) continue
            expect(accepts(language, String.fromCodePoint(code))).toBe(code >= range[0] && code <= range[1])
          }
        },
      ),
    )
  })

  it('stand in strings as JSON.stringify writes them, and in other ways that JSON.parse reads', () => {
    const canonical = repeat(jsonCharacter(allCharacters), 0, Infinity)
    const any = repeat(anyJsonCharacter, 0, Infinity)
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        expect(accepts(canonical, inside(value))).toBe(true)
        expect(accepts(any, inside(value))).toBe(true)
      }),
    )
    for (const good of ['\\u00e9', '\\ud83d\\ude00', '\\/']) expect(accepts(any, good)).toBe(true)
    for (const bad of ['"', '\\', '\n', '\\x', '\\ud83d', '\\ude00', '\\ud83d\\u0041'])
      expect(accepts(any, bad)).toBe(false)
  })

  it('complement and exclusion', () => {
    expect(accepts(utf8Character(complement([[97, 97]])), 'a')).toBe(false)
    const language = otherThan(['ab', 'a', 'é', ''])
    for (const value of ['ab', 'a', 'é', '']) expect(accepts(language, value)).toBe(false)
    for (const value of ['abc', 'b', 'ac', 'éa', 'è', '日']) expect(accepts(language, value)).toBe(true)
  })
})

describe('pattern', () => {
  it.each([
    ['^[a-z]{2,3}$', ['ab', 'abc'], ['a', 'abcd', 'aB']],
    ['b+', ['b', 'abba', 'ab'], ['', 'a']],
    ['^a|b$', ['ax', 'xb', 'a'], ['xa', 'bx']],
    ['^(?:red|gr[ae]y)(-\\d{1,2})?$', ['red', 'gray-12'], ['gr-1', 'red-']],
    ['^[^a-c"]$', ['d', 'é', '\\'], ['a', '"', '']],
    ['^\\w\\s\\S\\D$', ['a !x'], ['a  x', 'a !1']],
    ['^.$', ['a', '😀'], ['\n', 'ab']],
    ['^\\u{1f600}\\u00e9\\x41\\.\\/$', ['😀éA./'], ['']],
    ['^\\p{Lu}\\P{L}$', ['É1'], ['é1', 'ÉÉ']],
    ['^(a*)*b{0}$', ['', 'aaa'], ['b']],
    ['^[\\d-]+$', ['1-2'], ['a']],
  ])('%s', (source, good, bad) => {
    const language = pattern(source)
    const expression = new RegExp(source, 'u')
    for (const value of good) {
      expect(expression.test(value)).toBe(true)
      expect(accepts(language, inside(value))).toBe(true)
    }
    for (const value of bad) {
      expect(expression.test(value)).toBe(false)
      expect(accepts(language, inside(value))).toBe(false)
    }
  })

  it.each([
    '(?=a)',
    '(?<!a)b',
    '(a)\\1',
    'a\\b',
    '(',
    'a)',
    '[a',
    'a**',
    '[z-a]',
    'x{3,1}',
    'a^b',
    '((a{1,1000}){1,1000})',
    '\\p{Nonsense}',
  ])('refuses %s', (source) => {
    expect(() => pattern(source)).toThrow(PatternProblem)
  })

  it('has formats that are regular expressions of the engine as well', () => {
    for (const source of Object.values(stringFormats)) {
      expect(() => new RegExp(source, 'u')).not.toThrow()
      expect(pattern(source)).not.toBe(none)
    }
  })
})

describe('numbers', () => {
  const open = { minimum: -Infinity, maximum: Infinity, exclusiveMinimum: -Infinity, exclusiveMaximum: Infinity }

  it('integers are those within the bounds', () => {
    const size = fc.oneof(fc.integer({ min: -120, max: 120 }), fc.integer({ min: -1e9, max: 1e9 }))
    fc.assert(
      fc.property(size, size, size, fc.integer({ min: 1, max: 12 }), (a, b, x, divisor) => {
        const [minimum, maximum] = [Math.min(a, b), Math.max(a, b)]
        for (const value of [x, minimum, maximum, minimum - 1, maximum + 1, minimum + 1]) {
          const within = value >= minimum && value <= maximum
          expect(accepts(integers({ ...open, minimum, maximum }), String(value))).toBe(within)
          const expected = within && value % divisor === 0
          expect(accepts(integers({ ...open, minimum, maximum }, [divisor]), String(value))).toBe(expected)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('decimals are those within the bounds', () => {
    const value = fc.oneof(
      fc.integer({ min: -3000, max: 3000 }).map((x) => x / 100),
      fc.integer({ min: -20, max: 20 }),
      fc.integer({ min: -20, max: 20 }).map((x) => x / 1e7),
    )
    fc.assert(
      fc.property(value, value, value, fc.boolean(), fc.boolean(), (a, b, x, lowOpen, highOpen) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)]
        const language = numbers({
          ...open,
          ...(lowOpen ? { exclusiveMinimum: low } : { minimum: low }),
          ...(highOpen ? { exclusiveMaximum: high } : { maximum: high }),
        })
        for (const number of [x, low, high, low + 0.5, high - 0.25, 0]) {
          const written = String(number)
          if (/e|-0$/.test(written) || Object.is(number, -0) || /\.\d{6}/.test(written)) continue
          const expected = (lowOpen ? number > low : number >= low) && (highOpen ? number < high : number <= high)
          expect([written, accepts(language, written)]).toEqual([written, expected])
        }
      }),
      { numRuns: 300 },
    )
  })

  it('without a number between them there is none', () => {
    expect(numbers({ ...open, minimum: 1, exclusiveMaximum: 1 })).toBe(none)
    expect(integers({ ...open, exclusiveMinimum: 1, exclusiveMaximum: 2 })).toBe(none)
    expect(integers({ ...open, minimum: 8, maximum: 13 }, [7])).toBe(none)
  })
})
