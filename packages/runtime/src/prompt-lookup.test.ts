import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fakeModel, hashedLogits } from './fixtures/fake-model.ts'
import { type GenerationEvent, generate } from './generation.ts'
import type { GenerateOptions } from './generation-options.ts'
import { createDrafter, lookUp, promptLookupSettings } from './prompt-lookup.ts'

describe('lookUp', () => {
  it.each([
    ['the tokens after the same tail', [1, 2, 3, 4, 5, 1, 2], 3, 3, [3, 4, 5]],
    ['the longest tail before the latest place', [9, 1, 2, 7, 8, 1, 2, 5, 9, 1, 2], 3, 2, [7, 8]],
    ['the latest of equal tails', [1, 2, 7, 1, 2, 8, 1, 2], 2, 1, [8]],
    ['a repetition continued beyond the end', [5, 6, 5, 6], 3, 5, [5, 6, 5, 6, 5]],
    ['nothing for a tail of one token', [1, 2, 3, 1], 3, 4, []],
    ['a tail of one token where no more is asked', [1, 2, 3, 1], 1, 2, [2, 3]],
    ['nothing for a text of one token', [1], 3, 4, []],
    ['nothing for no room', [1, 2, 1, 2], 2, 0, []],
  ])('gives %s', (_, ids, ngram, count, expected) => {
    expect(lookUp(ids, ngram, count)).toEqual(expected)
  })
})

describe('createDrafter', () => {
  it('doubles drafts that are right, and shortens them to what was right', () => {
    const drafter = createDrafter({ ngram: 2, draft: 8 })
    const ids = Array.from({ length: 20 }, (_, i) => i % 2)
    const lengths = [2, 4, 8, 5].map((accepted) => {
      const { length } = drafter.draft(ids, 100)
      drafter.judge(length, Math.min(length, accepted))
      return length
    })
    expect(lengths).toEqual([2, 4, 8, 8])
    expect(drafter.draft(ids, 100)).toHaveLength(6)
    expect(drafter.draft(ids, 3)).toHaveLength(3)
  })

  it('drafts ever more seldom while drafts are wrong', () => {
    const drafter = createDrafter({ ngram: 2, draft: 8 })
    let drafted = 0
    for (let step = 0; step < 1000; step++) {
      const { length } = drafter.draft([1, 2, 1, 2], 8)
      drafted += length
      if (length > 0) drafter.judge(length, 0)
    }
    expect(drafted).toBeLessThan(80)
  })

  it('reads its options', () => {
    expect(promptLookupSettings(undefined)).toBeUndefined()
    expect(promptLookupSettings(false)).toBeUndefined()
    expect(promptLookupSettings(true)).toEqual({ ngram: 3, draft: 8 })
    expect(promptLookupSettings({ draft: 4 })).toEqual({ ngram: 3, draft: 4 })
    for (const wrong of [{ ngram: 0 }, { ngram: 1.5 }, { draft: 65 }]) {
      expect(() => promptLookupSettings(wrong)).toThrow(/promptLookup/)
    }
  })
})

const collect = async (
  seed: number,
  order: number,
  prompt: number[],
  options: GenerateOptions,
  contextLength: number,
) => {
  const vocabSize = 24
  const { model, state } = fakeModel(hashedLogits(seed, vocabSize, order), { contextLength, vocabSize })
  const decoder = () => ({ push: (id: number) => String.fromCharCode(97 + id), flush: () => '' })
  const generation = generate({ ...model, createDecoder: decoder }, prompt, options)
  const events: GenerationEvent[] = []
  for await (const event of generation) events.push(event)
  const { seconds: _, firstTokenSeconds: __, draftedTokens, acceptedTokens, ...result } = await generation.result
  expect(state.open).toBe(0)
  return { events, result, draftedTokens, acceptedTokens, runs: state.seen.length }
}

describe('generate with promptLookup', () => {
  it('gives the events and the result that it gives without, at every setting', async () => {
    let drafted = 0
    let accepted = 0
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          seed: fc.nat(),
          order: fc.integer({ min: 1, max: 2 }),
          prompt: fc.array(fc.integer({ min: 1, max: 23 }), { minLength: 1, maxLength: 30 }),
          contextLength: fc.integer({ min: 30, max: 90 }),
          lookup: fc.record({ ngram: fc.integer({ min: 1, max: 4 }), draft: fc.integer({ min: 1, max: 12 }) }),
          maxNewTokens: fc.integer({ min: 1, max: 80 }),
          temperature: fc.constantFrom(0, 0, 0.3),
          topP: fc.constantFrom(0.5, 1),
          repetitionPenalty: fc.constantFrom(1, 1, 1.1),
          ignoreEos: fc.boolean(),
          stop: fc.constantFrom([], ['bc'], ['q', 'def']),
        }),
        async ({ seed, order, prompt, contextLength, lookup, ...options }) => {
          const plain = await collect(seed, order, prompt, { ...options, seed: 1 }, contextLength)
          const quick = await collect(seed, order, prompt, { ...options, seed: 1, promptLookup: lookup }, contextLength)
          expect(quick.events).toEqual(plain.events)
          expect(quick.result).toEqual(plain.result)
          expect(quick.runs).toBeLessThanOrEqual(plain.runs)
          expect(quick.acceptedTokens).toBeLessThanOrEqual(quick.draftedTokens)
          drafted += quick.draftedTokens
          accepted += quick.acceptedTokens
        },
      ),
      { numRuns: 300 },
    )
    // The property means something only where drafts are both right and wrong.
    expect(accepted).toBeGreaterThan(100)
    expect(drafted - accepted).toBeGreaterThan(100)
  })

  it('needs a fraction of the runs for a text that repeats itself', async () => {
    const options = { maxNewTokens: 80, ignoreEos: true }
    const quick = await collect(3, 1, [1, 2, 3], { ...options, promptLookup: true }, 200)
    expect(quick.runs).toBeLessThan(40)
    expect(quick.acceptedTokens).toBeGreaterThan(40)
  })
})
