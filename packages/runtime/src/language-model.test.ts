import { fileURLToPath } from 'node:url'
import { floatForward, forwardLogits } from '@awq/models'
import { createEngine } from '@awq/ort'
import { openCheckpoint } from '@awq/tensor'
import { openFolder } from '@awq/tensor/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LanguageModel } from './language-model.ts'
import { loadModel } from './load-model.ts'
import { loadModel as loadReference } from './node.ts'

const stories = fileURLToPath(new URL('../../../examples/models/stories260k', import.meta.url))
const engine = await createEngine({ threads: 1 })
const folder = await openFolder(stories)

/** The design's tolerance for logits of the same weights. */
const expectLogits = (actual: ArrayLike<number>, expected: ArrayLike<number>) => {
  let largest = 1
  let difference = 0
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]!))
    difference = Math.max(difference, Math.abs(actual[i]! - expected[i]!))
  }
  expect(actual.length).toBe(expected.length)
  expect(difference).toBeLessThanOrEqual(2e-4 * largest)
}

/** A text of the model's own that is longer than one chunk of a prompt. */
const longIds = (model: LanguageModel) =>
  model.encode({ prompt: 'Once upon a time, there was a little girl named Lily. '.repeat(40) }).slice(0, 400)

describe.each(['plain', 'fused'] as const)('stories260k, attention %s', (attention) => {
  let model: LanguageModel
  beforeAll(async () => {
    model = await loadModel(folder, { engine, attention })
  })
  afterAll(() => model.dispose())

  it('gives the logits of the forward pass block by block, at every position across chunks', async () => {
    const ids = longIds(model)
    await using checkpoint = await openCheckpoint(folder)
    await using forward = floatForward(engine, checkpoint, model.description)
    const expected = (await forwardLogits(forward, Int32Array.from(ids), { all: true })).data as Float32Array
    const actual = await model.logits(ids, { all: true })
    const size = model.description.config.vocabSize
    expect(actual).toHaveLength(ids.length)
    for (const [i, row] of actual.entries()) expectLogits(row, expected.subarray(i * size, (i + 1) * size))
    expectLogits(await model.logits(ids), expected.subarray(-size))
  })

  it('writes token by token what a full pass over the same tokens would choose, past the first bucket', async () => {
    const prompt = longIds(model).slice(0, 250)
    const { ids } = await model.generate({ ids: prompt }, { maxNewTokens: 20, ignoreEos: true }).result
    const all = await model.logits([...prompt, ...ids], { all: true })
    const chosen = all.slice(prompt.length - 1, -1).map((row) => row.indexOf(Math.max(...row)))
    expect(ids).toEqual(chosen)
  })
})

describe('loadModel', () => {
  it('tells a story, streamed, and repeats it with the seed', async () => {
    await using model = await loadModel(folder, { engine })
    expect(model.kind).toBe('float')
    const options = { maxNewTokens: 40, temperature: 0.8, topP: 0.9, seed: 11 }
    const input = { prompt: 'Once upon a time' }
    const texts: string[] = []
    const generation = model.generate(input, options)
    for await (const { text } of generation) texts.push(text)
    const result = await generation.result
    expect(texts.join('')).toBe(result.text)
    expect(result.text).toMatch(/^,? [a-z]/)
    expect(result.seed).toBe(11)
    expect(await model.generate(input, options).result).toMatchObject({ text: result.text, ids: result.ids })
  })

  it('runs generations side by side without mixing them', async () => {
    await using model = await loadModel(folder, { engine })
    const one = (prompt: string) => model.generate({ prompt }, { maxNewTokens: 12 }).result
    const alone = [await one('Tom and'), await one('The dog')]
    const together = await Promise.all([one('Tom and'), one('The dog')])
    expect(together.map((result) => result.text)).toEqual(alone.map((result) => result.text))
  })

  it('keeps within the context it is given, and says when a prompt does not fit', async () => {
    await using model = await loadModel(folder, { engine, contextLength: 16 })
    const ids = [1, ...Array.from({ length: 11 }, () => 400)]
    const result = await model.generate({ ids }, { ignoreEos: true }).result
    expect(result).toMatchObject({ finishReason: 'length', newTokens: 5 })
    expect(() => model.generate({ ids: [...ids, ...ids] })).toThrow(/24 tokens.*context of 16/)
    await expect(model.logits([...ids, ...ids])).rejects.toThrow(/1 to 16/)
    await expect(model.logits([512])).rejects.toThrow(/512/)
  })

  it('loads by path, makes and disposes its own engine, and can not be used afterwards', async () => {
    const model = await loadReference(stories, { threads: 1 })
    await model.dispose()
    await model.dispose()
    await expect(model.generate({ prompt: 'a' }).result).rejects.toThrow(/disposed/)
  })

  it('stops at an abort between tokens', async () => {
    await using model = await loadModel(folder, { engine })
    const controller = new AbortController()
    const reason = new Error('enough')
    setTimeout(() => controller.abort(reason), 5)
    const generation = model.generate(
      { prompt: 'Once' },
      { maxNewTokens: 400, ignoreEos: true, signal: controller.signal },
    )
    await expect(generation.result).rejects.toBe(reason)
  })

  it.each([
    [{ contextLength: 513 }, /contextLength.*512/],
    [{ accuracy: 'best' as 'fast' }, /accuracy/],
    [{ signal: AbortSignal.abort(new Error('no')) }, /no/],
  ])('refuses %o', async (options, message) => {
    await expect(loadModel(folder, { engine, ...options })).rejects.toThrow(message)
  })
})
