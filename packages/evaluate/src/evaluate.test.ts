import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type ForwardModel, forwardLogits } from '@awq/models'
import { createEngine } from '@awq/ort'
import { loadModel, openModel } from '@awq/runtime'
import {
  type Folder,
  fromFloat32,
  memoryFolder,
  memorySink,
  openCheckpoint,
  readFloat32,
  writeSafetensors,
} from '@awq/tensor'
import { openFolder } from '@awq/tensor/node'
import { beforeAll, describe, expect, it } from 'vitest'
import { evaluate, joinText } from './evaluate.ts'
import { residualStreams } from './streams.ts'

const stories = fileURLToPath(new URL('../../../examples/models/stories260k', import.meta.url))
const engine = await createEngine({ threads: 1 })
const folder = await openFolder(stories)
/** A model near stories260k: every weight moved by a little. */
let near: Folder
const text =
  'Once upon a time, there was a little dog named Max. He liked to play in the park with his friends. '.repeat(12)

beforeAll(async () => {
  await using checkpoint = await openCheckpoint(folder)
  const sink = memorySink()
  const entries = []
  for (const [name, entry] of checkpoint.tensors) {
    const values = (await readFloat32(entry)).map((x, i) => x * (1 + 0.2 * Math.sin(i * 12.9898)))
    entries.push({ name, dtype: 'F32' as const, shape: entry.shape, data: fromFloat32(values, 'F32') })
  }
  await writeSafetensors(entries, sink)
  const config = await readFile(`${stories}/config.json`, 'utf8')
  near = memoryFolder({ 'config.json': config, 'model.safetensors': sink.bytes() }, 'near')
})

const logSoftmax = (logits: Float32Array): number[] => {
  const largest = Math.max(...logits)
  const total = logits.reduce((sum, x) => sum + Math.exp(x - largest), 0)
  return Array.from(logits, (x) => x - largest - Math.log(total))
}

/** log-probabilities after each token, in JavaScript from the forward pass's logits. */
const logProbabilities = async (model: ForwardModel, ids: Int32Array): Promise<number[][]> => {
  const data = (await forwardLogits(model, ids, { all: true })).data as Float32Array
  const size = model.description.config.vocabSize
  return Array.from(ids, (_, i) => logSoftmax(data.slice(i * size, (i + 1) * size)))
}

const windowsOf = async (window: number, count: number): Promise<{ tokens: number[]; windows: Int32Array[] }> => {
  await using model = await loadModel(folder, { engine })
  const tokens = model.tokenizer.encode(text)
  expect(tokens.length).toBeGreaterThan(window * count)
  return {
    tokens,
    windows: Array.from({ length: count }, (_, i) => Int32Array.from(tokens.slice(i * window, (i + 1) * window))),
  }
}

describe('evaluate', () => {
  it('gives perplexity, KL and agreement as their definitions do', async () => {
    const { windows } = await windowsOf(60, 3)
    await using model = await openModel(near, engine)
    await using against = await openModel(folder, engine)
    await using q = model.forward()
    await using p = against.forward()
    let nll = 0
    let kl = 0
    let agree = 0
    for (const ids of windows) {
      const [ofQ, ofP] = [await logProbabilities(q, ids), await logProbabilities(p, ids)]
      let own = 0
      for (let i = 0; i + 1 < ids.length; i++) {
        own -= ofQ[i]![ids[i + 1]!]!
        kl += ofP[i]!.reduce((sum, x, id) => sum + Math.exp(x) * (x - ofQ[i]![id]!), 0)
        agree += ofP[i]!.indexOf(Math.max(...ofP[i]!)) === ofQ[i]!.indexOf(Math.max(...ofQ[i]!)) ? 1 : 0
      }
      nll += own / (ids.length - 1)
    }
    const tokens = windows.flatMap((ids) => [...ids])
    const result = await evaluate({ model, against, tokens, window: 60 })
    expect(result).toMatchObject({ tokens: 180, windows: 3, window: 60 })
    expect(result.perplexity / Math.exp(nll / 3)).toBeCloseTo(1, 5)
    expect(result.kl).toBeGreaterThan(0.001)
    expect(result.kl! / (kl / 177)).toBeCloseTo(1, 4)
    expect(result.top1).toBe(agree / 177)
    expect(result.top1).toBeLessThan(1)
  })

  it('finds no difference between a model and itself, and reads text without special tokens', async () => {
    const { tokens } = await windowsOf(64, 4)
    const warnings: string[] = []
    const options = { model: folder, engine, window: 64, maxWindows: 4, onWarning: (m: string) => warnings.push(m) }
    const byText = await evaluate({ ...options, against: folder, text })
    expect(byText.kl).toBeLessThan(1e-6)
    expect(byText.top1).toBe(1)
    const byTokens = await evaluate({ ...options, tokens })
    expect(byTokens.perplexity).toBe(byText.perplexity)
    expect(byTokens).not.toHaveProperty('kl')
    expect(warnings).toEqual([])
  })

  it('does not depend on how many windows run together', async () => {
    const { windows } = await windowsOf(48, 5)
    await using model = await openModel(folder, engine)
    await using forward = model.forward()
    const together = await residualStreams(forward, windows)
    for (const [i, window] of windows.entries()) {
      const [alone] = await residualStreams(forward, [window])
      expect(Math.max(...alone!.map((x, at) => Math.abs(x - together[i]![at]!)))).toBeLessThan(1e-4)
    }
  })

  it('clamps the window to the context and warns, and makes one window of a short text', async () => {
    const warnings: string[] = []
    const onWarning = (message: string) => warnings.push(message)
    const long = await evaluate({ model: folder, engine, text: text.repeat(2), window: 2048, onWarning })
    expect(long.window).toBe(512)
    expect(warnings).toEqual([expect.stringMatching(/2048.*512/)])
    const short = await evaluate({ model: folder, engine, text: 'Once upon a time.', window: 64, onWarning })
    expect(short.windows).toBe(1)
    expect(short.window).toBeLessThan(20)
    expect(warnings[1]).toMatch(/fewer than one window/)
  })

  it('reports progress to its end and stops at an abort', async () => {
    const events: { done: number; total: number }[] = []
    const base = { model: folder, engine, text, window: 64, maxWindows: 2 }
    await evaluate({ ...base, onProgress: (event) => events.push(event) })
    expect(events.at(-1)!.done).toBe(events.at(-1)!.total)
    expect(events).toHaveLength(5 + 2)
    const controller = new AbortController()
    const reason = new Error('enough')
    const stopped = evaluate({ ...base, signal: controller.signal, onProgress: () => controller.abort(reason) })
    await expect(stopped).rejects.toBe(reason)
  })

  it.each([
    ['a text of one token', { text: 'a' }, /at least 2/],
    ['an empty text', { text: '' }, /0 tokens/],
    ['neither text nor tokens', {}, /either text or tokens/],
    ['both', { text: 'a', tokens: [1, 2] }, /either text or tokens/],
    ['ids outside the vocabulary', { tokens: [1, 512] }, /512/],
    ['ids that are no integers', { tokens: [1, 2.5] }, /tokens\[1\] is 2.5/],
    ['a window of 1', { tokens: [1, 2], window: 1 }, /window/],
  ])('refuses %s', async (_, options, message) => {
    await expect(evaluate({ model: folder, engine, ...options })).rejects.toThrow(message)
  })

  it('refuses a reference with another vocabulary', async () => {
    const config = JSON.parse(await readFile(`${stories}/config.json`, 'utf8'))
    await using model = await openModel(folder, engine)
    const description = { ...model.description, config: { ...model.description.config, vocabSize: 511 } }
    const against = { ...model, description }
    expect(config.vocab_size).toBe(512)
    await expect(evaluate({ model, against, tokens: [1, 2, 3] })).rejects.toThrow(/512 tokens.*511/)
  })
})

describe('joinText', () => {
  it('joins documents by an empty line and reads line ends as Python does', async () => {
    async function* documents() {
      yield 'a\r\nb'
      yield 'c\rd\n'
    }
    expect(await joinText(documents())).toBe('a\nb\n\nc\nd\n')
    expect(await joinText('x\r\ny')).toBe('x\ny')
  })
})
