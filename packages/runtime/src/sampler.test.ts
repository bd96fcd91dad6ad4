import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRandom, type Random } from './random.ts'
import { createSampler } from './sampler.ts'
import { selectCandidates } from './sampling.ts'
import { type SamplingOptions, samplingSettings } from './sampling-options.ts'

const logitsOf = (...values: number[]) => Float32Array.from(values)

const samplerOf = (options: SamplingOptions, seed = 1) => createSampler(samplingSettings(options), createRandom(seed))

/** Logits as a model gives them: many small ones and a few large ones. */
const modelLike = (size: number, seed: number, heads = 8): Float32Array => {
  const random = createRandom(seed)
  const normal = () => Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next())
  const logits = Float32Array.from({ length: size }, () => 2 * normal())
  for (let i = 0; i < heads; i++) logits[Math.floor(random.next() * size)] = 9 + 2 * normal()
  return logits
}

/** How often each token is drawn. */
const frequencies = (logits: Float32Array, options: SamplingOptions, draws: number, seed = 3): Map<number, number> => {
  const sampler = samplerOf(options, seed)
  const counts = new Map<number, number>()
  for (let i = 0; i < draws; i++) {
    const id = sampler.choose(logits)
    counts.set(id, (counts.get(id) ?? 0) + 1)
  }
  return counts
}

describe('createSampler', () => {
  it('is greedy at temperature 0, whatever else is set, after the penalty', () => {
    const sampler = samplerOf({ topP: 0.1, minP: 0.5, repetitionPenalty: 10 })
    sampler.see([1, 99])
    const logits = logitsOf(1, 9, 2)
    expect(sampler.choose(logits)).toBe(2)
    expect([...logits]).toEqual([1, 9, 2])
  })

  it('divides positive and multiplies negative logits by the penalty, once for each token', () => {
    const sampler = samplerOf({ repetitionPenalty: 2 })
    sampler.see([0, 0])
    sampler.see([0])
    expect(sampler.choose(logitsOf(4.1, 2))).toBe(0)
    expect(sampler.choose(logitsOf(3.9, 2))).toBe(1)
    expect(sampler.choose(logitsOf(-1, -1.9))).toBe(1)
    expect(sampler.choose(logitsOf(-1, -2.1))).toBe(0)
  })

  it('leaves the logits as they were when it refuses them', () => {
    const sampler = samplerOf({ repetitionPenalty: 2, temperature: 1 })
    sampler.see([0])
    const logits = logitsOf(4, Number.NaN)
    expect(() => sampler.choose(logits)).toThrow(expect.objectContaining({ code: 'NUMERIC' }))
    expect(logits[0]).toBe(4)
  })

  it('repeats with a seed', () => {
    const logits = modelLike(500, 1)
    for (const options of [{ topK: 40, topP: 0.95 }, { topP: 0.95 }, { minP: 0.01 }, {}]) {
      const draw = (seed: number) => {
        const sampler = samplerOf({ temperature: 1.3, ...options }, seed)
        return Array.from({ length: 20 }, () => sampler.choose(logits))
      }
      expect(draw(5)).toEqual(draw(5))
      expect(draw(5)).not.toEqual(draw(6))
    }
  })

  /** Random numbers on a grid: all places of the proposals come up, and all are taken. */
  const gridRandom = (steps: number): Random => {
    let at = 0
    return { uint32: () => 0, next: () => (at++ % 2 === 0 ? (Math.floor(at / 2) % steps) / steps : 0) }
  }

  it('can draw exactly the candidates of the definition', () => {
    const options = fc.record({
      temperature: fc.constantFrom(0.3, 0.7, 1, 1.9, 30),
      topP: fc.constantFrom(0.001, 0.33, 0.5, 0.9, 0.99, 1),
      minP: fc.constantFrom(0, 0, 0.013, 0.05, 0.71, 1),
    })
    const value = fc.oneof(
      fc.float({ min: -6, max: 6, noNaN: true }),
      fc.constantFrom(-1, 0, 1, 1 + 2 ** -20, Number.NEGATIVE_INFINITY),
    )
    const logitArray = fc.array(value, { minLength: 1, maxLength: 40 }).filter((values) => values.some(Number.isFinite))
    fc.assert(
      fc.property(logitArray, options, (values, chosen) => {
        const logits = Float32Array.from(values)
        const settings = samplingSettings(chosen)
        const { ids, weights, total } = selectCandidates(logits, settings)
        const expected = [...ids].filter((_, i) => weights[i]! / total > 1e-2).sort((a, b) => a - b)
        const steps = 400
        // Proposals out of the whole vocabulary are refused as often as not: they take numbers off the grid.
        const whole = settings.topP === 1
        const sampler = createSampler(settings, whole ? createRandom(5) : gridRandom(steps))
        // Twice as many draws: where one number decides, every other one of the grid is 0.
        const drawn = new Set(Array.from({ length: (whole ? 8 : 2) * steps }, () => sampler.choose(logits)))
        for (const id of expected) expect(drawn).toContain(id)
        for (const id of drawn) expect(ids).toContain(id)
      }),
      { numRuns: 200 },
    )
  })

  it.each<[string, SamplingOptions]>([
    ['the temperature', { temperature: 1 }],
    ['a high temperature', { temperature: 3 }],
    ['top-p', { temperature: 0.8, topP: 0.9 }],
    ['top-k', { temperature: 1.2, topK: 20 }],
    ['min-p', { temperature: 1, minP: 0.02 }],
    ['top-p and min-p', { temperature: 1.5, topP: 0.95, minP: 0.001 }],
  ])('draws with the probabilities of the definition: %s', (_, options) => {
    const logits = modelLike(3000, 7)
    const draws = 6000
    const counts = frequencies(logits, options, draws)
    const { ids, weights, total } = selectCandidates(logits, samplingSettings(options))
    // Chi-square over the candidates that are drawn often enough; the rest is one class.
    let statistic = 0
    let classes = 0
    const rest = { expected: 0, seen: 0 }
    for (const [i, id] of ids.entries()) {
      const expected = (weights[i]! / total) * draws
      const seen = counts.get(id) ?? 0
      counts.delete(id)
      if (expected < 20) {
        rest.expected += expected
        rest.seen += seen
      } else {
        statistic += (seen - expected) ** 2 / expected
        classes++
      }
    }
    if (rest.expected > 20) {
      statistic += (rest.seen - rest.expected) ** 2 / rest.expected
      classes++
    }
    expect([...counts]).toEqual([])
    expect(classes).toBeGreaterThan(2)
    // Mean classes - 1, standard deviation sqrt(2 (classes - 1)): five of them.
    expect(statistic).toBeLessThan(classes - 1 + 5 * Math.sqrt(2 * classes))
  })

  it('ends its nucleus at the very token of the definition, in large vocabularies, flat and peaked', () => {
    for (let seed = 0; seed < 12; seed++) {
      const logits = modelLike(20_000, seed, seed % 2 ? 40 : 0)
      const settings = samplingSettings({ temperature: 1, topP: [0.3, 0.9, 0.999][seed % 3]! })
      const { ids } = selectCandidates(logits, settings)
      const last = ids[ids.length - 1]!
      // A random number just below 1 proposes the last candidate of all.
      const ends = createSampler(settings, { uint32: () => 0, next: nearly(1 - 2 ** -40) }).choose(logits)
      expect(ends).toBe(last)
    }
  })

  it('refuses a logit that is no number wherever it stands', () => {
    for (const at of [0, 63, 64, 700, 999])
      for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
        const logits = modelLike(1000, 2)
        logits[at] = value
        for (const topP of [0.9, 1])
          expect(() => samplerOf({ temperature: 1, topP }).choose(logits)).toThrow(
            expect.objectContaining({ code: 'NUMERIC', message: expect.stringContaining(`token ${at} `) }),
          )
      }
  })

  it('does not overflow, at any temperature', () => {
    expect(samplerOf({ temperature: 0.1, topP: 0.9 }).choose(logitsOf(-3e38, 3e38))).toBe(1)
    for (const topP of [0.3, 0.6, 1])
      expect([0, 2]).toContain(samplerOf({ temperature: 0.1, topP }).choose(logitsOf(3e38, -3e38, 3e38)))
    expect(samplerOf({ temperature: 1e-320 }).choose(logitsOf(1, 2, 1.9))).toBe(1)
    expect(samplerOf({ temperature: 100 }).choose(logitsOf(Number.NEGATIVE_INFINITY, 2))).toBe(1)
  })
})

/** Proposals from one number, all of them taken. */
const nearly = (value: number) => {
  let at = 0
  return () => (at++ % 2 === 0 ? value : 0)
}
