/** Text about images, from messages to answers: what `generate` writes is what transformers' tokens and rows lead to. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { quantize } from '@awq/core'
import { loadImageProcessor } from '@awq/image'
import { readImage } from '@awq/image/node'
import { createEngine, tensor } from '@awq/ort'
import { createImageEncoder, type LanguageModel } from '@awq/runtime'
import { loadModel } from '@awq/runtime/node'
import { openFolder } from '@awq/tensor/node'
import { afterAll, describe, expect, test } from 'vitest'
import { distance } from './checkpoints.ts'
import { seeingCheckpoints, visionGolden } from './vision-golden.ts'
import { withProcessor } from './vision-processors.ts'

const engine = await createEngine({ threads: 1 })
const scratch = mkdtempSync(join(tmpdir(), 'awq-vision-'))
afterAll(async () => {
  await engine.dispose()
  rmSync(scratch, { recursive: true, force: true })
})

const picture = (name: string): string =>
  fileURLToPath(new URL(`../../packages/image/src/fixtures/images/${name}`, import.meta.url))
const [first, second] = [picture('rgb.png'), picture('rgb.jpg')]

/** The rows that images stand for, made without the runtime's prompts. */
const rowsOf = async (model: LanguageModel, folder: string, files: readonly string[]): Promise<Float32Array[]> => {
  const processor = await loadImageProcessor(await openFolder(folder))
  const encoder = createImageEncoder(model.opened)
  const rows: Float32Array[] = []
  const width = model.description.config.hiddenSize
  for (const file of files) {
    const done = processor.process(await readImage(file))
    const { features } = await encoder.encode({
      pixelValues: tensor('float32', done.shape, done.pixelValues as Float32Array<ArrayBuffer>),
      size: done.originalSize,
      ...(done.grid ? { grid: { rows: done.grid[1], columns: done.grid[2] } } : {}),
    })
    for (let at = 0; at < features.length; at += width) rows.push(features.slice(at, at + width))
  }
  await encoder.dispose()
  return rows
}

const options = { maxNewTokens: 6, ignoreEos: true }
const sum = (row: Float32Array): number => row.reduce((total, value) => total + value, 0)

describe.each(seeingCheckpoints)('$name', (checkpoint) => {
  const folder = withProcessor(checkpoint, scratch)
  const load = (more: object = {}) => loadModel(folder, { engine, ...more })
  const ask = (...images: string[]) => ({
    messages: [
      {
        role: 'user',
        content: [...images.map((image) => ({ type: 'image', image })), { type: 'text', text: 'what is it' }],
      },
    ],
  })

  test('an image is a run of ids past the vocabulary, one for each row', async () => {
    await using model = await load()
    expect(model.sees).toBe(true)
    const { vocabSize } = model.description.config
    const ids = await model.prepare(ask(first, second))
    const rows = await rowsOf(model, folder, [first, second])
    expect(ids.filter((id) => id >= vocabSize)).toHaveLength(rows.length)
    expect(await model.prepare(ask(first, second))).toEqual(ids)
    expect(sum(rows[0]!)).not.toBe(0)
    const other = await model.prepare(ask(second, first))
    expect(other.filter((id) => id >= vocabSize)).not.toEqual(ids.filter((id) => id >= vocabSize))
    expect(new Set(other.filter((id) => id >= vocabSize))).toEqual(new Set(ids.filter((id) => id >= vocabSize)))
  })

  test('all ways to give an image write the same, and other images something else', async () => {
    await using model = await load()
    const { text, ids } = await model.generate(ask(first), options).result
    const url = `data:image/png;base64,${(await import('node:fs')).readFileSync(first).toString('base64')}`
    const question = { type: 'text', text: 'what is it' }
    const bytes = new Uint8Array((await import('node:fs')).readFileSync(first))
    for (const part of [
      { type: 'image_url', image_url: { url } },
      { type: 'image', image: bytes },
      { type: 'image', path: first },
    ]) {
      const same = await model.generate({ messages: [{ role: 'user', content: [part, question] }] }, options).result
      expect(same.text).toBe(text)
    }
    const logits = await model.logits(await model.prepare(ask(first)))
    expect(ids[0]).toBe(logits.indexOf(logits.reduce((a, b) => Math.max(a, b))))
    const others = await model.logits(await model.prepare(ask(picture('grey.png'))))
    expect(Math.max(...others.map((value, i) => Math.abs(value - logits[i]!)))).toBeGreaterThan(1e-3)
  })

  test('a second turn goes on from the first, and several at once write what each does alone', async () => {
    await using model = await load()
    const turn = ask(first)
    const { text } = await model.generate(turn, options).result
    const content = (words: string) => [{ type: 'text', text: words }]
    const next = {
      messages: [
        ...turn.messages,
        { role: 'assistant', content: content(text) },
        { role: 'user', content: content('and why') },
      ],
    }
    const follow = await model.generate(next, options).result
    await using fresh = await load({ keptConversations: 0 })
    expect(follow.text).toBe((await fresh.generate(next, options).result).text)
    if (model.description.vision!.attention !== 'prefix') expect(follow.reusedTokens).toBeGreaterThan(10)
    await using batch = await load({ batch: { maxBatch: 4 } })
    const inputs = [turn, next, ask(second), ask(first, second), { prompt: 'hello' }]
    const alone = []
    for (const input of inputs) alone.push((await fresh.generate(input, options).result).text)
    const together = await Promise.all(inputs.map((input) => batch.generate(input, options).result))
    expect(together.map((one) => one.text)).toEqual(alone)
  })
})

test.each(['smolvlm', 'gemma3-vision', 'qwen2.5-vl'])(
  '%s sees as before when its language model is quantized',
  async (name) => {
    const checkpoint = seeingCheckpoints.find((one) => one.name === name)!
    const folder = withProcessor(checkpoint, scratch)
    const output = join(scratch, `${name}-quantized`)
    const warnings: string[] = []
    const onProgress = (event: { type: string; message?: string }): void => {
      if (event.type === 'warning') warnings.push(event.message!)
    }
    const calibration = { calibration: ['the cat sat on the mat '.repeat(40)], samples: 2, length: 32 }
    await quantize({ model: folder, output, engine, method: 'awq', bits: 8, groupSize: 16, ...calibration, onProgress })
    expect(warnings.join()).toMatch(/no images in the calibration/)
    await using model = await loadModel(output, { engine, accuracy: 'exact' })
    expect(model.sees).toBe(true)
    const encoder = createImageEncoder(model.opened)
    const golden = visionGolden(checkpoint)
    for (const { image, features } of golden.images) {
      const made = await encoder.encode(image)
      // The checkpoint's bfloat16 is kept.
      expect(distance([made.features], [features.values])).toBeLessThan(3e-5)
    }
    await encoder.dispose()
    const question = { messages: [{ role: 'user', content: [{ type: 'image', image: first }] }] }
    expect((await model.generate(question, options).result).newTokens).toBe(6)
  },
)

test('a model that reads text alone says so', async () => {
  const path = fileURLToPath(new URL('../fixtures/models/llama', import.meta.url))
  await using model = await loadModel(path, { engine })
  expect(model.sees).toBe(false)
  await expect(model.prepare({ prompt: 'a', images: [first] })).rejects.toThrow(/reads text alone/)
  await expect(model.generate({ prompt: 'a', images: [first] }).result).rejects.toThrow(/reads text alone/)
})
