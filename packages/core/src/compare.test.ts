import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { evaluate } from '@awq/evaluate'
import { createEngine, type Engine } from '@awq/ort'
import type { Folder } from '@awq/tensor'
import { openCheckpoint } from '@awq/tensor'
import { openFolder } from '@awq/tensor/node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compare, quantize } from './index.ts'

const model = fileURLToPath(new URL('../../../examples/models/stories260k', import.meta.url))
const stories = fileURLToPath(new URL('../../../examples/demo/stories-calibration.txt', import.meta.url))
const text = 'Once upon a time, there was a little dog named Max. He liked to play in the park. '.repeat(12)
const calibration = { calibration: stories, samples: 4, length: 64 }

let engine: Engine
let scratch: string
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
  scratch = await mkdtemp(join(tmpdir(), 'awq-compare-'))
})
afterAll(async () => {
  await engine.dispose()
  await rm(scratch, { recursive: true, force: true })
})

test('a row is what quantize and evaluate give one after the other, also beside other methods', async () => {
  const rows = await compare({
    ...calibration,
    engine,
    model,
    methods: ['rtn', 'gptq', 'awq'],
    bits: [4],
    groupSize: 32,
    text,
    window: 64,
  })
  expect(rows.map(({ method }) => method)).toEqual(['float', 'rtn', 'gptq', 'awq'])
  const float = await openFolder(model)
  for (const method of ['gptq', 'awq']) {
    const output = join(scratch, method)
    await quantize({ ...calibration, engine, model, output, method, groupSize: 32 })
    const alone = await evaluate({ engine, model: await openFolder(output), against: float, text, window: 64 })
    const { perplexity, kl, top1 } = alone
    expect(rows.find((row) => row.method === method)).toMatchObject({ perplexity, kl, top1 })
  }
})

test('quantized models run with 8-bit activations when asked to, the float model never', async () => {
  const job = { engine, model, methods: ['rtn'], bits: [8] as const, groupSize: 64, text, window: 64 }
  const [exact, fast] = [await compare(job), await compare({ ...job, accuracy: 'fast' })]
  expect(fast[0]!.perplexity).toBe(exact[0]!.perplexity)
  expect(fast[1]!.kl).toBeGreaterThan(exact[1]!.kl! * 1.5)
  const output = join(scratch, 'fast')
  await quantize({ engine, model, output, method: 'rtn', bits: 8, groupSize: 64 })
  const [folder, against] = [await openFolder(output), await openFolder(model)]
  const alone = await evaluate({ engine, model: folder, against, text, window: 64, accuracy: 'fast' })
  expect(fast[1]).toMatchObject({ perplexity: alone.perplexity, kl: alone.kl })
})

/** The folder with a pause before each read of the embedding table. */
const slowTable = async (pauseMs: number): Promise<Folder> => {
  const folder = await openFolder(model)
  const checkpoint = await openCheckpoint(folder)
  const { file: tableFile, offset, length } = checkpoint.tensors.get('model.embed_tokens.weight')!
  await checkpoint.close()
  return {
    ...folder,
    async open(file) {
      const source = await folder.open(file)
      return {
        ...source,
        size: source.size,
        async read(at, count, options) {
          const isTable = file === tableFile && at >= offset && at < offset + length
          if (isTable) await new Promise((resolve) => setTimeout(resolve, pauseMs))
          return source.read(at, count, options)
        },
      }
    },
  }
}

test('the time of a method has all that quantize does: reading, tables and writing', async () => {
  const rows = await compare({ engine, model: await slowTable(150), methods: ['rtn'], bits: [4], text, window: 64 })
  // A timer may fire a millisecond early.
  expect(rows[1]!.seconds).toBeGreaterThan(0.14)
})

test('the manifest does not tell where the calibration text lay', async () => {
  const output = join(scratch, 'manifest')
  await quantize({ ...calibration, engine, model, output, groupSize: 32 })
  const manifest = await readFile(join(output, 'quantization.json'), 'utf8')
  expect(JSON.parse(manifest).calibration.source).toBe('stories-calibration.txt')
  expect(manifest).not.toContain(stories)
})
