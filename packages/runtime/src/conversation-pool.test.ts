import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createConversationPool, sharedLength } from './conversation-pool.ts'
import { type FakeState, fakeConversation, fakeModel, hashedLogits } from './fixtures/fake-model.ts'
import { generate } from './generation.ts'

const next = hashedLogits(5, 24, 3)

const pooled = (kept: number, fail?: (ids: readonly number[], cache: number[]) => void | Promise<void>) => {
  const state: FakeState = { open: 0, created: 0, seen: [] }
  const pool = createConversationPool(() => fakeConversation(next, state, fail), kept)
  const run = async (prompt: number[]) => {
    const conversation = pool.open(prompt)
    const reused = conversation.length
    await conversation.extend(prompt.slice(reused), {})
    conversation.dispose()
    return reused
  }
  return { pool, state, run }
}

describe('sharedLength', () => {
  it('counts the tokens that two texts begin with', () => {
    expect(sharedLength([1, 2, 3], [1, 2, 4])).toBe(2)
    expect(sharedLength([1], [1, 2])).toBe(1)
    expect(sharedLength([], [1])).toBe(0)
  })
})

describe('createConversationPool', () => {
  it('goes on where the cache and the prompt part, and runs at least one token', async () => {
    const { run, state } = pooled(1)
    expect(await run([1, 2, 3])).toBe(0)
    expect(await run([1, 2, 3, 4, 5])).toBe(3)
    expect(await run([1, 2, 9])).toBe(2)
    expect(await run([1, 2, 9])).toBe(2)
    expect(await run([1])).toBe(0)
    expect(state.seen).toEqual([[1, 2, 3], [4, 5], [9], [9], [1]])
    expect(state.created).toBe(1)
  })

  it('takes the idle conversation with the longest common beginning', async () => {
    const { run } = pooled(3)
    await run([1, 2, 3, 4])
    await run([5, 6, 7, 8])
    expect(await run([5, 6, 7, 9])).toBe(3)
    expect(await run([1, 2, 3, 4, 5])).toBe(4)
  })

  it('leaves a conversation alone that has little in common, while there is room', async () => {
    const { run, state, pool } = pooled(2)
    await run([1, 2, 3, 4, 5, 6])
    expect(await run([1, 2, 9, 9])).toBe(0)
    expect(await run([1, 2, 3, 4, 5, 6, 7])).toBe(6)
    expect(pool.idle).toBe(2)
    // No room any more: the better of two is cut down instead of making a third.
    expect(await run([1, 2, 9, 8, 8])).toBe(3)
    expect(state.created).toBe(2)
  })

  it('keeps as many as it is told to and frees the one that was idle longest', async () => {
    const { pool, state } = pooled(1)
    const open = [pool.open([1]), pool.open([2]), pool.open([3])]
    expect(state.open).toBe(3)
    for (const [i, conversation] of open.entries()) {
      await conversation.extend([i + 1], {})
      conversation.dispose()
      conversation.dispose()
    }
    expect([pool.idle, state.open]).toEqual([1, 1])
    expect(pool.open([3, 4]).length).toBe(1)
  })

  it('keeps none when told so, and none that is empty', async () => {
    const { run, state, pool } = pooled(0)
    await run([1, 2])
    expect(state.open).toBe(0)
    const other = pooled(1)
    other.pool.open([1]).dispose()
    expect(other.state.open).toBe(0)
    expect(pool.idle).toBe(0)
  })

  it('frees the idle ones when disposed, and the others when they come back', async () => {
    const { pool, run, state } = pooled(2)
    const busy = pool.open([7])
    await run([1, 2])
    await busy.extend([7], {})
    pool.dispose()
    expect(state.open).toBe(1)
    busy.dispose()
    expect(state.open).toBe(0)
  })

  it('knows what a failed run completed', async () => {
    const { pool, run } = pooled(1, (ids, cache) => {
      if (!ids.includes(23)) return
      cache.push(...ids.slice(0, 2))
      throw new Error('half-way')
    })
    await run([1, 2])
    const conversation = pool.open([1, 2, 3, 4, 23])
    await expect(conversation.extend([3, 4, 23], {})).rejects.toThrow('half-way')
    expect(conversation.length).toBe(4)
    conversation.dispose()
    expect(await run([1, 2, 3, 4, 5])).toBe(4)
  })

  it('drops a conversation whose cache is not what it should be', async () => {
    const { pool, run, state } = pooled(1, (ids, cache) => {
      if (!ids.includes(23)) return
      cache.length = 0
      throw new Error('lost')
    })
    await run([1, 2])
    const conversation = pool.open([1, 2, 23])
    await expect(conversation.extend([23], {})).rejects.toThrow('lost')
    conversation.dispose()
    expect(state.open).toBe(0)
  })

  it('refuses to be used after it was given back', async () => {
    const { pool } = pooled(1)
    const conversation = pool.open([1])
    conversation.dispose()
    await expect(conversation.extend([1], {})).rejects.toThrow(/given back/)
  })

  it.each([-1, 1.5, Number.NaN, 1001])('refuses to keep %s', (kept) => {
    expect(() => createConversationPool(() => fakeModel(next).model.open([]), kept)).toThrow(/keptConversations/)
  })

  it('never changes what is written: any turns, in any order, some at once, broken off and failing', async () => {
    const turn = fc.record({
      prompt: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: 1, maxLength: 12 }),
      maxNewTokens: fc.integer({ min: 1, max: 12 }),
      promptLookup: fc.boolean(),
      leaveAfter: fc.integer({ min: 1, max: 20 }),
    })
    const options = { vocabSize: 24, contextLength: 20 }
    let reused = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(turn, { minLength: 2, maxLength: 8 }),
        fc.integer({ min: 0, max: 3 }),
        async (turns, kept) => {
          const alone = fakeModel(next, options)
          const { pool, state } = pooled(kept)
          const model = { ...alone.model, open: (prompt: readonly number[]) => pool.open(prompt) }
          const write = async ({ prompt, leaveAfter, ...rest }: (typeof turns)[number]) => {
            const generation = generate(model, prompt, rest)
            const ids: number[] = []
            for await (const { id } of generation) {
              ids.push(id)
              if (ids.length === leaveAfter) break
            }
            const result = await generation.result
            reused += result.reusedTokens
            expect(result.reusedTokens).toBeLessThan(prompt.length)
            const expected = await generate(alone.model, prompt, { maxNewTokens: rest.maxNewTokens }).result
            expect(ids).toEqual(expected.ids.slice(0, leaveAfter))
          }
          for (let i = 0; i < turns.length; i += 2) await Promise.all(turns.slice(i, i + 2).map(write))
          expect(state.open).toBe(pool.idle)
          pool.dispose()
          expect(state.open).toBe(0)
        },
      ),
      { numRuns: 200 },
    )
    expect(reused).toBeGreaterThan(100)
  })
})
