import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { greedy, selectCandidates } from './sampling.ts'
import { samplingSettings } from './sampling-options.ts'

const logitsOf = (...values: number[]) => Float32Array.from(values)

/** The definition, by a full sort in doubles: the oracle. */
const definition = (logits: Float32Array, temperature: number, topK: number, topP: number, minP: number): number[] => {
  let order = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]! || a - b)
  const largest = logits[order[0]!]!
  const weight = (id: number) => Math.exp((logits[id]! - largest) / temperature)
  if (topK > 0) order = order.slice(0, topK)
  const mass = order.reduce((total, id) => total + weight(id), 0)
  let running = 0
  const kept: number[] = []
  for (const id of order) {
    if (topP < 1 && running >= topP * mass) break
    running += weight(id)
    kept.push(id)
  }
  return kept.filter((id) => weight(id) >= minP && weight(id) > 0)
}

describe('greedy', () => {
  it('takes the largest logit and the lowest id among equals', () => {
    expect(greedy(logitsOf(-3, 2, 5, 5, 1))).toBe(2)
    expect(greedy(logitsOf(-3, -2))).toBe(1)
    expect(greedy(logitsOf(0, -0))).toBe(0)
  })

  it.each([
    ['NaN at the end', [1, 2, Number.NaN]],
    ['NaN at the start', [Number.NaN, 2]],
    ['+Infinity', [1, Infinity]],
    ['only -Infinity', [-Infinity, -Infinity]],
    ['no logits', []],
  ])('refuses %s as NUMERIC', (_, values) => {
    expect(() => greedy(Float32Array.from(values))).toThrow(expect.objectContaining({ code: 'NUMERIC' }))
  })
})

describe('selectCandidates', () => {
  const logitArray = fc.float32Array({ min: -20, max: 20, noNaN: true, minLength: 1, maxLength: 60 })

  it('equals the definition by a full sort', () => {
    fc.assert(
      fc.property(
        logitArray,
        fc.constantFrom(0.3, 0.7, 1, 1.9),
        fc.integer({ min: 0, max: 20 }),
        fc.constantFrom(0.001, 0.33, 0.5, 0.9, 0.99, 1),
        fc.constantFrom(0, 0.013, 0.05, 0.71, 1),
        (logits, temperature, topK, topP, minP) => {
          const expected = definition(logits, temperature, topK, topP, minP)
          const actual = [...selectCandidates(logits, { temperature, topK, topP, minP }).ids]
          expect(actual.sort((a, b) => a - b)).toEqual(expected.sort((a, b) => a - b))
        },
      ),
      { numRuns: 400 },
    )
  })

  it('keeps the lower ids when top-k cuts through equal logits', () => {
    const candidates = selectCandidates(logitsOf(1, 3, 3, 3, 3, 0), { temperature: 1, topK: 3, topP: 1, minP: 0 })
    expect([...candidates.ids]).toEqual([1, 2, 3])
  })

  it('weighs candidates by exp((x - max) / temperature) and never lists a logit of -Infinity', () => {
    const candidates = selectCandidates(logitsOf(0, -Infinity, Math.log(2) * 2), {
      temperature: 2,
      topK: 0,
      topP: 1,
      minP: 0,
    })
    expect([...candidates.ids]).toEqual([0, 2])
    expect(candidates.weights[0]).toBeCloseTo(0.5, 6)
    expect(candidates.total).toBeCloseTo(1.5, 6)
  })

  it('does not overflow for large logits', () => {
    const { total } = selectCandidates(logitsOf(3e38, -3e38), { temperature: 0.1, topK: 0, topP: 0.9, minP: 0 })
    expect(total).toBe(1)
  })
})

describe('samplingSettings', () => {
  it.each([
    [{ temperature: -1 }, /temperature/],
    [{ temperature: Number.NaN }, /temperature/],
    [{ topK: 1.5 }, /topK/],
    [{ topP: 0 }, /topP/],
    [{ topP: 1.1 }, /topP/],
    [{ minP: -0.1 }, /minP/],
    [{ repetitionPenalty: 0 }, /repetitionPenalty/],
    [{ seed: 0.5 }, /seed/],
    [{ temperature: '1' as unknown as number }, /temperature/],
  ])('refuses %o', (options, message) => {
    expect(() => samplingSettings(options)).toThrow(message)
  })

  it('is greedy by default', () => {
    expect(samplingSettings()).toEqual({
      temperature: 0,
      topK: 0,
      topP: 1,
      minP: 0,
      repetitionPenalty: 1,
      presencePenalty: 0,
      frequencyPenalty: 0,
      logitBias: new Map(),
      seed: undefined,
    })
  })
})
