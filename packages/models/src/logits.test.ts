import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createEngine, type Engine } from '@awq/ort'
import { openCheckpoint } from '@awq/tensor'
import { openFolder } from '@awq/tensor/node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeModel } from './describe.ts'
import { floatForward, forwardLogits } from './forward.ts'

const fixtures = new URL('fixtures/', import.meta.url)
let engine: Engine
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
})
afterAll(() => engine.dispose())

describe('float logits equal those of transformers (fixtures by tools/fixtures/models/make.py)', () => {
  test.each(readdirSync(fixtures).filter((name) => !name.endsWith('.json')))('%s', async (name) => {
    const path = new URL(`${name}/`, fixtures)
    const golden = JSON.parse(readFileSync(new URL('golden.json', path), 'utf8')) as {
      ids: number[]
      logits: number[][]
    }
    const folder = await openFolder(path.pathname)
    const description = describeModel(JSON.parse(await folder.readText('config.json')))
    await using checkpoint = await openCheckpoint(folder)
    await using model = floatForward(engine, checkpoint, description)
    const expected = golden.logits.flat()
    const { data, shape } = await forwardLogits(model, Int32Array.from(golden.ids), { all: true })
    expect(shape).toEqual([golden.ids.length, description.config.vocabSize])
    const limit = 2e-4 * Math.max(1, ...expected.map(Math.abs))
    const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - Number(data[i]))), 0)
    expect(worst).toBeLessThan(limit)
    const last = await forwardLogits(model, Int32Array.from(golden.ids))
    expect(last.shape).toEqual([1, description.config.vocabSize])
    expect(Math.abs(Number(last.data[3]) - golden.logits.at(-1)![3]!)).toBeLessThan(limit)
  })
})

test('so do those of the bundled stories260k', async () => {
  const golden = JSON.parse(readFileSync(new URL('fixtures/stories260k.golden.json', import.meta.url), 'utf8'))
  const folder = await openFolder(fileURLToPath(new URL('../../../examples/models/stories260k', import.meta.url)))
  const description = describeModel(JSON.parse(await folder.readText('config.json')))
  await using checkpoint = await openCheckpoint(folder)
  await using model = floatForward(engine, checkpoint, description)
  const { data } = await forwardLogits(model, Int32Array.from(golden.ids), { all: true })
  const expected: number[] = golden.logits.flat()
  const last = (data as Float32Array).subarray(-expected.length)
  const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - last[i]!)), 0)
  expect(worst).toBeLessThan(2e-4 * Math.max(1, ...expected.map(Math.abs)))
})

test('ids outside the vocabulary, none, and more than the context are refused', async () => {
  const folder = await openFolder(new URL('plain/', fixtures).pathname)
  const description = describeModel(JSON.parse(await folder.readText('config.json')))
  await using checkpoint = await openCheckpoint(folder)
  await using model = floatForward(engine, checkpoint, description)
  await expect(forwardLogits(model, Int32Array.of(1, 40))).rejects.toThrow(
    'token id 40 is outside the vocabulary of 40',
  )
  await expect(forwardLogits(model, Int32Array.of(-1))).rejects.toThrow('outside the vocabulary')
  await expect(forwardLogits(model, new Int32Array(0))).rejects.toThrow('at least one token')
  await expect(forwardLogits(model, new Int32Array(65))).rejects.toThrow('65 tokens are more than')
})

test('a tensor that the description would ignore is refused', async () => {
  const folder = await openFolder(new URL('tied-bias/', fixtures).pathname)
  const config = JSON.parse(await folder.readText('config.json'))
  await using checkpoint = await openCheckpoint(folder)
  const open = (changed: object) => () => floatForward(engine, checkpoint, describeModel({ ...config, ...changed }))
  expect(open({ attention_bias: false })).toThrow(/self_attn.*bias is not used by a llama model/)
  expect(open({ num_hidden_layers: 1 })).toThrow(/model\.layers\.1.*1 blocks/)
})
