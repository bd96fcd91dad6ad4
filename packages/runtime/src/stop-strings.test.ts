import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createStopFilter } from './stop-strings.ts'

const run = (stops: string[], pieces: string[]) => {
  const filter = createStopFilter(stops)
  const results = [...pieces.map((piece) => filter.push(piece)), filter.flush()]
  return {
    shown: results.map((result) => result.text),
    text: results.map((result) => result.text).join(''),
    stopped: results.find((result) => result.stopped !== undefined)?.stopped,
  }
}

describe('createStopFilter', () => {
  it('finds a stop string across pieces and shows only what is before it', () => {
    expect(run(['</s>'], ['a<', '/', 's', '>b', 'c'])).toEqual({
      shown: ['a', '', '', '', '', ''],
      text: 'a',
      stopped: '</s>',
    })
  })

  it('gives held text back as soon as it can not be a stop string any more, and at the end', () => {
    expect(run(['###'], ['x#', '#y', '##']).shown).toEqual(['x', '##y', '', '##'])
  })

  it('prefers the match that ends first, then the longer one', () => {
    expect(run(['abcd', 'bc'], ['xabcd'])).toMatchObject({ text: 'xa', stopped: 'bc' })
    expect(run(['bc', 'abc'], ['xabcd'])).toMatchObject({ text: 'x', stopped: 'abc' })
  })

  it('finds a match that overlaps a failed start', () => {
    expect(run(['aab'], ['a', 'a', 'a', 'b'])).toMatchObject({ text: 'a', stopped: 'aab' })
  })

  it('passes everything through without stop strings', () => {
    expect(run([], ['a', 'b']).shown).toEqual(['a', 'b', ''])
  })

  it('gives the same whatever the pieces, and never shows a stop string', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 30 })
    const stop = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(letters, fc.array(stop, { maxLength: 3 }), fc.infiniteStream(fc.nat(3)), (text, stops, cuts) => {
        const pieces: string[] = []
        for (let at = 0; at < text.length; ) {
          const size = 1 + (cuts.next().value as number)
          pieces.push(text.slice(at, at + size))
          at += size
        }
        const whole = run(stops, [text])
        const cut = run(stops, pieces)
        expect(cut.text).toBe(whole.text)
        expect(cut.stopped).toBe(whole.stopped)
        for (const s of stops) expect(cut.text.includes(s)).toBe(false)
        if (whole.stopped === undefined) expect(cut.text).toBe(text)
        else expect(text.startsWith(whole.text + whole.stopped)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  it.each([[['']], [['x'.repeat(1001)]], [[1 as unknown as string]], ['stop' as unknown as string[]]])(
    'refuses %o',
    (stops) => {
      expect(() => createStopFilter(stops)).toThrow(/stop/i)
    },
  )
})
