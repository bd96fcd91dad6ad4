/** Decoding with a real model: what is reused, drafted, broken off or run at once must not change the text. */
import { fileURLToPath } from 'node:url'
import { createEngine } from '@awq/ort'
import { openFolder } from '@awq/tensor/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { GenerateOptions } from './generation-options.ts'
import type { LanguageModel } from './language-model.ts'
import { loadModel } from './load-model.ts'
import type { LoadOptions } from './load-options.ts'

const stories = fileURLToPath(new URL('../../../examples/models/stories260k', import.meta.url))
const engine = await createEngine({ threads: 1 })
const folder = await openFolder(stories)
afterAll(() => engine.dispose())

const load = (options: LoadOptions = {}) => loadModel(folder, { engine, ...options })

const write = async (model: LanguageModel, ids: number[], options: GenerateOptions = {}) => {
  const { seconds: _, firstTokenSeconds: __, seed: ___, ...result } = await model.generate({ ids }, options).result
  return result
}

const textOnly = ({ text, ids, finishReason }: { text: string; ids: readonly number[]; finishReason: string }) => ({
  text,
  ids,
  finishReason,
})

const opening = 'Once upon a time, there was a little girl named Lily. She liked to play. '

describe('turns of a conversation', () => {
  it.each(['plain', 'fused'] as const)(
    'are the same with and without a kept cache, attention %s',
    async (attention) => {
      await using fresh = await load({ attention, keptConversations: 0 })
      await using kept = await load({ attention })
      let prompt = kept.encode({ prompt: opening })
      for (let turn = 0; turn < 4; turn++) {
        const [expected, actual] = [await write(fresh, prompt), await write(kept, prompt, {})]
        expect(textOnly(actual)).toEqual(textOnly(expected))
        expect(expected.reusedTokens).toBe(0)
        if (turn > 0) expect(actual.reusedTokens).toBeGreaterThan(10)
        // The next turn takes the answer back in part and goes on differently.
        prompt = [...prompt, ...actual.ids.slice(0, 20), ...kept.encode({ prompt: 'Then ' }).slice(1)]
        if (prompt.length > 400) break
      }
    },
  )

  it('reuse what they share after a break and after an abort', async () => {
    await using model = await load()
    const prompt = model.encode({ prompt: opening })
    const expected = await write(model, prompt, { maxNewTokens: 30 })
    for await (const { index } of model.generate({ ids: prompt })) if (index === 5) break
    const after = await write(model, prompt, { maxNewTokens: 30 })
    expect(textOnly(after)).toEqual(textOnly(expected))
    expect(after.reusedTokens).toBe(prompt.length - 1)
    const controller = new AbortController()
    await expect(
      (async () => {
        const generation = model.generate({ ids: prompt }, { signal: controller.signal })
        for await (const { index } of generation) if (index === 5) controller.abort(new Error('enough'))
      })(),
    ).rejects.toThrow('enough')
    expect(await write(model, prompt, { maxNewTokens: 30 })).toMatchObject({
      text: expected.text,
      reusedTokens: prompt.length - 1,
    })
  })
})

describe('promptLookup', () => {
  it.each(['plain', 'fused'] as const)('writes the same text in fewer runs, attention %s', async (attention) => {
    await using model = await load({ attention })
    const repeated = model.encode({ prompt: opening.repeat(3) })
    for (const options of [
      { maxNewTokens: 150 },
      { maxNewTokens: 60, stop: ['Lily'] },
      { maxNewTokens: 400, ignoreEos: true },
    ]) {
      const plain = await write(model, repeated, options)
      const quick = await write(model, repeated, { ...options, promptLookup: true })
      expect(textOnly(quick)).toEqual(textOnly(plain))
      expect(quick.draftedTokens).toBeGreaterThan(0)
      expect(quick.acceptedTokens).toBeGreaterThan(0)
      expect(plain.draftedTokens).toBe(0)
    }
  })
})

describe('the end of the context', () => {
  it.each([true, false])('is reached to the last slot, with promptLookup %s', async (promptLookup) => {
    await using model = await load({ contextLength: 24 })
    for (let length = 20; length <= 24; length++) {
      const prompt = Array.from({ length }, (_, i) => 300 + (i % 3))
      const result = await write(model, prompt, { maxNewTokens: 1000, ignoreEos: true, promptLookup })
      expect(result).toMatchObject({ finishReason: 'length', newTokens: 25 - length })
      const rows = await model.logits([...prompt, ...result.ids].slice(0, 24), { all: true })
      const chosen = rows.slice(length - 1).map((row) => row.indexOf(Math.max(...row)))
      expect(result.ids).toEqual(chosen)
    }
    expect(() => model.generate({ ids: Array(25).fill(300) })).toThrow(
      /25 tokens, more than the context of 24.*up to 512.*by at least 1 tokens/,
    )
  })

  it("agrees with one pass over the whole of the model's own context", async () => {
    await using model = await load()
    const { ids, finishReason } = await write(model, [1], { maxNewTokens: 1000, ignoreEos: true, promptLookup: true })
    expect([ids.length, finishReason]).toEqual([512, 'length'])
    const rows = await model.logits([1, ...ids.slice(0, -1)], { all: true })
    for (const [i, row] of rows.entries()) {
      // A near tie may go either way by rounding.
      expect(row[ids[i]!]!).toBeGreaterThanOrEqual(Math.max(...row) - 1e-3)
    }
  })
})

describe('robustness', () => {
  let model: LanguageModel
  beforeAll(async () => {
    model = await load({ keptConversations: 2 })
  })
  afterAll(() => model.dispose())

  it('loses nothing when the consumer leaves the loop 200 times', async () => {
    const prompt = model.encode({ prompt: opening.repeat(4) })
    const memory = async () => {
      ;(globalThis as { gc?: () => void }).gc?.()
      await new Promise((resolve) => setTimeout(resolve, 20))
      return process.memoryUsage()
    }
    const leave = async (times: number) => {
      for (let i = 0; i < times; i++) {
        const generation = model.generate({ ids: [...prompt.slice(0, 40 + (i % 50)), 300 + (i % 7)] })
        for await (const { index } of generation) if (index === i % 3) break
        expect((await generation.result).finishReason).toBe('abort')
      }
    }
    await leave(50)
    const before = await memory()
    await leave(200)
    const after = await memory()
    // A cache of this model is 640 KB a bucket: 200 of them would be 128 MB.
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(16e6)
  })

  it('rejects promptly when aborted in the middle of a prompt, and goes on afterwards', async () => {
    const prompt = model.encode({ prompt: opening.repeat(40) }).slice(0, 500)
    const expected = await write(model, prompt, { maxNewTokens: 5 })
    await using other = await load()
    const controller = new AbortController()
    const reason = new Error('no more')
    const { result } = other.generate({ ids: prompt }, { signal: controller.signal })
    setImmediate(() => controller.abort(reason))
    await expect(result).rejects.toBe(reason)
    expect(textOnly(await write(other, prompt, { maxNewTokens: 5 }))).toEqual(textOnly(expected))
  })

  it('writes the same side by side as alone, on one model and on two', async () => {
    await using other = await load()
    const prompts = ['Tom and', 'The dog', opening].map((prompt) => model.encode({ prompt }))
    const options = { maxNewTokens: 30 }
    const alone = []
    for (const prompt of prompts) alone.push(textOnly(await write(model, prompt, options)))
    const together = await Promise.all(
      [model, other].flatMap((each) => prompts.map(async (prompt) => textOnly(await write(each, prompt, options)))),
    )
    expect(together).toEqual([...alone, ...alone])
  })
})

describe('loadModel', () => {
  it('refuses a number of kept conversations that is none', async () => {
    await expect(load({ keptConversations: -1 })).rejects.toThrow(/keptConversations/)
    await expect(load({ keptConversations: 0.5 })).rejects.toThrow(/keptConversations/)
  })
})
