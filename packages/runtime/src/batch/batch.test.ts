import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { turnEventLoop } from '../event-loop.ts'
import { type FakeExecutorOptions, fakeExecutor } from '../fixtures/fake-executor.ts'
import { fakeModel, hashedLogits } from '../fixtures/fake-model.ts'
import { generate } from '../generation.ts'
import type { TokenModel } from '../token-model.ts'
import { type BatchTuning, createBatch } from './batch.ts'

const vocabSize = 24
const contextLength = 40
const next = hashedLogits(3, vocabSize, 2)

const batched = (options: Partial<FakeExecutorOptions> & { maxQueue?: number; tuning?: Partial<BatchTuning> } = {}) => {
  const { slots = 4, cacheTokens = 100, maxQueue = 100 } = options
  const { executor, runs } = fakeExecutor({ next, slots, cacheTokens, ...options })
  const settings = { maxBatch: slots, cacheTokens, maxQueue, contextLength: Math.min(contextLength, cacheTokens) }
  const batch = createBatch({ settings, vocabSize, open: async () => executor, tuning: options.tuning })
  const { model: alone } = fakeModel(next, { vocabSize, contextLength: settings.contextLength })
  const model: TokenModel = { ...alone, open: (_, most) => batch.open(most), check: batch.check }
  return { batch, runs, model, alone }
}

const prompt = (length: number, seed = 0) => Array.from({ length }, (_, i) => 1 + ((i * 7 + seed * 5) % 20))

describe('a batch', () => {
  it('runs one step for all that wait with one token', async () => {
    const { model, runs } = batched()
    const all = [1, 2, 3, 4].map((seed) =>
      generate(model, prompt(3, seed), { maxNewTokens: 10, ignoreEos: true, temperature: 0 }),
    )
    await Promise.all(all.map(({ result }) => result))
    expect(runs.steps.filter(({ length }) => length === 4).length).toBeGreaterThan(5)
  })

  it('goes on with the others between the pieces of a long prompt', async () => {
    const { model, runs } = batched()
    const short = generate(model, prompt(2), { maxNewTokens: 20, ignoreEos: true })
    const order: string[] = []
    const first = short[Symbol.asyncIterator]()
    await first.next()
    const long = generate(model, prompt(39, 1), { maxNewTokens: 1 }).result.then(() => order.push('long'))
    for (let i = 0; i < 4; i++) await first.next()
    order.push('four tokens')
    await long
    expect(order).toEqual(['four tokens', 'long'])
    expect(Math.max(...runs.pieces)).toBeLessThanOrEqual(8)
    await short.result
  })

  it('copies a prompt that another has read, and one that is being read', async () => {
    const { model, runs } = batched({ cacheTokens: 200 })
    const same = () => generate(model, prompt(33), { maxNewTokens: 2, ignoreEos: true }).result
    const results = await Promise.all([same(), same(), same()])
    expect(runs.copied).toBeGreaterThanOrEqual(40)
    expect(runs.pieces.reduce((sum, count) => sum + count, 0)).toBeLessThan(50)
    expect(new Set(results.map(({ text }) => text)).size).toBe(1)
    expect(results.reduce((sum, { reusedTokens }) => sum + reusedTokens, 0)).toBe(runs.copied)
    expect((await same()).reusedTokens).toBe(32)
  })

  it('refuses one more than may run and wait, at once', async () => {
    const { model, batch } = batched({ slots: 1, maxQueue: 1 })
    const open = () => generate(model, prompt(3), { maxNewTokens: 5 })[Symbol.asyncIterator]()
    const [a, b] = [open(), open()]
    const waiting = [a.next(), b.next()]
    expect(batch.load).toMatchObject({ waiting: 2, maxBatch: 1, maxQueue: 1 })
    expect(open).toThrow(expect.objectContaining({ code: 'BUSY' }))
    await waiting[0]
    await a.return?.()
    await waiting[1]
    expect(batch.load).toMatchObject({ active: 1, waiting: 0 })
    await b.return?.()
    expect(batch.load).toMatchObject({ active: 0, waiting: 0 })
  })

  it('refuses also those that asked before it was full and begin afterwards', async () => {
    const { model } = batched({ slots: 1, maxQueue: 0 })
    const [a, b] = [1, 2].map(() => generate(model, prompt(3), { maxNewTokens: 2 }))
    const first = a!.result
    await expect(b!.result).rejects.toMatchObject({ code: 'BUSY' })
    await first
  })

  it('frees the slot of whoever goes away within a step, and the place of whoever waits at once', async () => {
    const { model, batch, runs } = batched({ slots: 1 })
    const controller = new AbortController()
    const reason = new Error('gone')
    const running = generate(model, prompt(30), { maxNewTokens: 5, signal: controller.signal }).result
    const queued = new AbortController()
    const waiting = generate(model, prompt(3), { signal: queued.signal }).result
    while (runs.pieces.length === 0) await turnEventLoop()
    queued.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    expect(batch.load.waiting).toBe(0)
    const pieces = runs.pieces.length
    controller.abort(reason)
    await expect(running).rejects.toBe(reason)
    for (let i = 0; i < 4; i++) await turnEventLoop()
    expect(batch.load.active).toBe(0)
    expect(runs.pieces.length).toBeLessThanOrEqual(pieces + 1)
  })

  it('tells those that took part when a run fails, and goes on', async () => {
    let left = 5
    const fail = () => {
      if (left-- === 0) throw new Error('broken')
    }
    const { model, batch } = batched({ fail })
    const all = [1, 2, 3].map((seed) => generate(model, prompt(3, seed), { maxNewTokens: 10, ignoreEos: true }).result)
    const failed = (await Promise.allSettled(all)).filter(({ status }) => status === 'rejected')
    expect(failed.length).toBeGreaterThan(0)
    expect(batch.load).toMatchObject({ active: 0, waiting: 0 })
    await generate(model, prompt(3), { maxNewTokens: 10 }).result
  })

  it('rejects what runs and waits when it is disposed', async () => {
    const { model, batch, runs } = batched({ slots: 1 })
    const all = [1, 2].map((seed) => generate(model, prompt(3, seed), { maxNewTokens: 30, ignoreEos: true }).result)
    await turnEventLoop()
    batch.dispose()
    for (const { status } of await Promise.allSettled(all)) expect(status).toBe('rejected')
    expect(runs.disposed).toBe(true)
    expect(() => generate(model, prompt(3))).toThrow(/disposed/)
  })

  it('writes what a single one writes: any prompts, joining and leaving at any time, in little memory', async () => {
    const turn = fc.record({
      /** Tokens of a beginning that others have too, and those behind it. */
      head: fc.integer({ min: 0, max: 24 }),
      tail: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: 1, maxLength: 12 }),
      maxNewTokens: fc.integer({ min: 1, max: 20 }),
      promptLookup: fc.boolean(),
      leaveAfter: fc.integer({ min: 1, max: 30 }),
      wait: fc.integer({ min: 0, max: 30 }),
      /** Turns of the event loop that the reader takes for each token. */
      slow: fc.integer({ min: 0, max: 2 }),
      end: fc.constantFrom('break', 'abort'),
    })
    const seen = { copied: 0, moved: 0, together: 0, interrupted: 0 }
    await fc.assert(
      fc.asyncProperty(
        fc.array(turn, { minLength: 2, maxLength: 12 }),
        fc.record({
          slots: fc.integer({ min: 1, max: 5 }),
          cacheTokens: fc.integer({ min: 20, max: 160 }),
          copies: fc.boolean(),
          chunk: fc.constantFrom(3, 8),
          tuning: fc.constantFrom({}, { promptShare: 2, ahead: 2, wasteAllowed: 2 }),
        }),
        async (turns, options) => {
          const { model, alone, batch, runs } = batched(options)
          const write = async ({ head, tail, leaveAfter, wait, slow, end, ...rest }: (typeof turns)[number]) => {
            for (let i = 0; i < wait; i++) await turnEventLoop()
            const ids: number[] = []
            const given = [...prompt(head), ...tail].slice(0, model.contextLength)
            const controller = new AbortController()
            try {
              for await (const { id } of generate(model, given, { ...rest, signal: controller.signal })) {
                ids.push(id)
                for (let i = 0; i < slow; i++) await turnEventLoop()
                if (ids.length !== leaveAfter) continue
                if (end === 'break') break
                controller.abort()
              }
            } catch (error) {
              if (!controller.signal.aborted) throw error
            }
            const expected = await generate(alone, given, { maxNewTokens: rest.maxNewTokens }).result
            expect(ids).toEqual(expected.ids.slice(0, leaveAfter))
          }
          await Promise.all(turns.map(write))
          expect(batch.load).toMatchObject({ active: 0, waiting: 0 })
          expect(runs.largest).toBeLessThanOrEqual(options.cacheTokens)
          seen.copied += runs.copied
          seen.interrupted += batch.load.interrupted
          seen.moved += runs.moved
          seen.together += runs.steps.filter(({ length }) => length > 2).length
        },
      ),
      { numRuns: 150 },
    )
    expect(seen.copied).toBeGreaterThan(100)
    expect(seen.interrupted).toBeGreaterThan(0)
    expect(seen.moved).toBeGreaterThan(0)
    expect(seen.together).toBeGreaterThan(30)
  })
})
