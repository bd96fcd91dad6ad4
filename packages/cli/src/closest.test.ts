import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { closest, editDistance } from './closest.ts'

describe('editDistance', () => {
  it.each([
    ['', 'abc', 3],
    ['kitten', 'sitting', 3],
    ['bits', 'bist', 1],
    ['same', 'same', 0],
  ])('%s -> %s is %i', (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance)
  })
  it('is symmetric, and zero for equal words only', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }), (a, b) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a))
        expect(editDistance(a, b) === 0).toBe(a === b)
      }),
    )
  })
})

describe('closest', () => {
  const known = ['quantize', 'eval', 'logits', 'run', 'chat', 'compare', 'inspect']
  it.each([
    ['quantise', 'quantize'],
    ['evaluate', 'eval'],
    ['comp', 'compare'],
    ['chta', 'chat'],
    ['RUN', 'run'],
  ])('%s means %s', (word, meant) => {
    expect(closest(word, known)).toBe(meant)
  })
  it.each(['serve-everything', 'x', 'zz'])('%s means nothing', (word) => {
    expect(closest(word, known)).toBeUndefined()
  })
})
