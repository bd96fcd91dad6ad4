import { AwqError } from '@awq/tensor'
import { describe, expect, test } from 'vitest'
import { benchmark, fittingContexts, median } from './benchmark.ts'
import type { Generation } from './generation.ts'
import type { GenerateOptions } from './generation-options.ts'
import type { GenerateInput } from './input-encoder.ts'
import type { LanguageModel } from './language-model.ts'

/** A model whose tokens take fixed times; records what it was asked. */
const fakeModel = (contextLength: number, times: { perPromptToken: number; perStep: number }) => {
  const asked: { ids: readonly number[]; options: GenerateOptions }[] = []
  const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
  const generate = (input: GenerateInput, options: GenerateOptions = {}): Generation => {
    const { ids } = input as { ids: readonly number[] }
    asked.push({ ids, options })
    const most = Math.min(options.maxNewTokens!, contextLength - ids.length + 1)
    return {
      result: new Promise(() => {}),
      async *[Symbol.asyncIterator]() {
        await wait(ids.length * times.perPromptToken)
        for (let index = 0; index < most; index++) {
          if (index > 0) await wait(times.perStep)
          options.signal?.throwIfAborted()
          yield { id: 1, text: '', index }
        }
      },
    }
  }
  const model = { contextLength, description: { config: { vocabSize: 50 } }, generate } as unknown as LanguageModel
  return { model, asked }
}

describe('benchmark', () => {
  test('times steps and prefill apart, on ids of the vocabulary', async () => {
    const { model, asked } = fakeModel(100, { perPromptToken: 1, perStep: 5 })
    const progress: number[] = []
    const { decode, prefill, skipped } = await benchmark(model, {
      contexts: [10, 80, 200],
      tokens: 8,
      repeat: 2,
      onProgress: ({ done, total }) => progress.push(done / total),
    })
    expect(decode.map(({ context }) => context)).toEqual([10, 80])
    expect(skipped).toEqual([200])
    // Timers are late, never early.
    for (const { tokensPerSecond } of decode) {
      expect(tokensPerSecond).toBeLessThan(205)
      expect(tokensPerSecond).toBeGreaterThan(20)
    }
    expect(prefill.tokens).toBe(100)
    expect(prefill.tokensPerSecond).toBeLessThan(1010)
    expect(prefill.tokensPerSecond).toBeGreaterThan(100)
    expect([progress[0], progress.at(-1)]).toEqual([0, 1])
    expect(asked.every(({ ids }) => ids.every((id) => Number.isInteger(id) && id >= 0 && id < 50))).toBe(true)
    expect(asked.every(({ options }) => options.ignoreEos === true)).toBe(true)
    const decodes = asked.filter(({ options }) => options.maxNewTokens === 9)
    expect(decodes.map(({ ids }) => ids.length)).toEqual([10, 10, 80, 80])
    // A prompt that began like the one before could be answered from its cache.
    const prefills = asked.filter(({ options }) => options.maxNewTokens === 1)
    expect(new Set(prefills.map(({ ids }) => ids[0])).size).toBe(2)
  })

  test('refuses counts below one and stops when it is told to', async () => {
    const { model } = fakeModel(100, { perPromptToken: 0, perStep: 0 })
    for (const options of [{ repeat: 0 }, { tokens: 0.5 }, { promptTokens: -1 }, { contexts: [0] }])
      await expect(benchmark(model, options)).rejects.toSatisfy(AwqError.is)
    const reason = new Error('enough')
    await expect(benchmark(model, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})

describe('fittingContexts', () => {
  test('keeps what leaves room, and always one', () => {
    expect(fittingContexts([16, 448, 449], 64, 512)).toEqual({ fitting: [16, 448], skipped: [449] })
    expect(fittingContexts([600], 64, 512)).toEqual({ fitting: [448], skipped: [600] })
  })
})

test('median', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 2, 3])).toBe(2.5)
})
