import { describe, expect, it } from 'vitest'
import { fakeModel, hashedLogits } from './fixtures/fake-model.ts'
import { type GenerationEvent, generate } from './generation.ts'
import type { GenerateOptions } from './generation-options.ts'
import { type Constraint, createMask } from './token-constraint.ts'

const bits = (size: number, ids: Iterable<number>): Uint32Array => {
  const words = new Uint32Array(Math.ceil(size / 32))
  for (const id of ids) words[id >> 5]! |= 1 << (id & 31)
  return words
}

describe('createMask', () => {
  it('keeps the logits of allowed tokens and no others', () => {
    const mask = createMask()
    const logits = Float32Array.from({ length: 100 }, (_, id) => id)
    for (const ids of [[0, 31, 32, 63, 99], Array.from({ length: 64 }, (_, i) => i), [50]]) {
      const masked = mask(logits, bits(100, ids))
      const kept = [...masked].flatMap((x, id) => (x === Number.NEGATIVE_INFINITY ? [] : [[id, x]]))
      expect(kept).toEqual(ids.map((id) => [id, id]))
    }
  })

  it('ignores bits past the vocabulary, and refuses a mask of nothing', () => {
    const mask = createMask()
    expect([...mask(Float32Array.of(1, 2), bits(64, [1, 2, 40]))]).toEqual([Number.NEGATIVE_INFINITY, 2])
    expect(() => mask(Float32Array.of(1, 2), bits(64, [2]))).toThrow(/allows no token/)
  })
})

/** The characters of `words` one after another, any of those of each word; then the end. */
const spelled = (...words: string[]): Constraint => ({
  start() {
    let at = 0
    return {
      allowed: () => bits(128, at < words.length ? [...words[at]!].map((c) => c.charCodeAt(0)) : [0]),
      accept(id) {
        if (at < words.length && !words[at]!.includes(String.fromCharCode(id))) throw new Error('not allowed')
        at++
      },
      get complete() {
        return at >= words.length
      },
      get finished() {
        return at >= words.length
      },
    }
  },
})

const collect = async (options: GenerateOptions, next = hashedLogits(5, 128, 2)) => {
  const { model, state } = fakeModel(next)
  const generation = generate(model, [1, 2], options)
  const events: GenerationEvent[] = []
  for await (const event of generation) events.push(event)
  return { events, result: await generation.result, state }
}

describe('generate with a constraint', () => {
  it('writes only what is allowed and ends when it is finished, without a run for the end', async () => {
    const { result, state } = await collect({ constraint: spelled('ab', 'cd', 'e') })
    expect(result.text).toMatch(/^[ab][cd]e$/)
    expect(result).toMatchObject({ finishReason: 'eos', newTokens: 3 })
    expect(state.seen).toHaveLength(3)
  })

  it('starts anew with every generation', async () => {
    const constraint = spelled('x', 'yz')
    for (let turn = 0; turn < 3; turn++) expect((await collect({ constraint })).result.text).toMatch(/^x[yz]$/)
  })

  it('ends by length where that comes first', async () => {
    const { result } = await collect({ constraint: spelled('a', 'b', 'c'), maxNewTokens: 2 })
    expect(result).toMatchObject({ text: 'ab', finishReason: 'length' })
  })

  it('gives the same text with drafts, and drafts are right about it', async () => {
    const constraint = spelled(...Array.from({ length: 60 }, (_, i) => ['ab', 'cd', 'ef'][i % 3]!))
    const settings = { constraint, temperature: 0.7, seed: 3, maxNewTokens: 100 }
    const plain = await collect(settings)
    const drafted = await collect({ ...settings, promptLookup: true })
    expect(drafted.result.text).toBe(plain.result.text)
    expect(drafted.result.acceptedTokens).toBeGreaterThan(0)
    expect(drafted.state.seen.length).toBeLessThan(plain.state.seen.length)
  })
})

describe('generate with logprobs', () => {
  it("gives the model's own distribution, whatever else is set", async () => {
    const logits = new Float32Array(128).fill(-50)
    logits[97] = Math.log(0.5)
    logits[98] = Math.log(0.3)
    logits[99] = Math.log(0.2)
    const options = { logprobs: 2, maxNewTokens: 1, constraint: spelled('c'), temperature: 9, logitBias: { 99: -100 } }
    const { events } = await collect(options, () => logits)
    const [{ id, logprob }] = events as [GenerationEvent]
    expect(id).toBe(99)
    expect(logprob!.id).toBe(99)
    expect(logprob!.logprob).toBeCloseTo(Math.log(0.2), 6)
    expect(logprob!.top.map(({ id }) => id)).toEqual([97, 98])
    expect(logprob!.top[0]!.logprob).toBeCloseTo(Math.log(0.5), 6)
  })

  it('has one for every event, those of drafts too, and none of the others without being asked', async () => {
    const settings = { maxNewTokens: 60, logitBias: { 0: -100 } }
    const plain = await collect({ ...settings, logprobs: 3 }, hashedLogits(5, 128, 1))
    const drafted = await collect({ ...settings, logprobs: 3, promptLookup: true }, hashedLogits(5, 128, 1))
    expect(drafted.result.acceptedTokens).toBeGreaterThan(0)
    expect(drafted.events).toEqual(plain.events)
    for (const { id, logprob } of plain.events) expect(logprob).toMatchObject({ id, top: { length: 3 } })
    expect((await collect(settings)).events[0]).not.toHaveProperty('logprob')
    expect((await collect({ ...settings, logprobs: 0 })).events[0]!.logprob!.top).toEqual([])
  })

  it.each([-1, 21, 0.5])('refuses %s alternatives', (logprobs) => {
    expect(() => generate(fakeModel(hashedLogits(1, 128, 1)).model, [1], { logprobs })).toThrow(/logprobs/)
  })

  it('refuses a bias of a token that the vocabulary lacks', () => {
    const { model } = fakeModel(hashedLogits(1, 128, 1))
    expect(() => generate(model, [1], { logitBias: { 128: 1 } })).toThrow(/token 128/)
  })
})
