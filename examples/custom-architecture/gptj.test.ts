import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { quantize } from '@awq/core'
import { describeModel, registerArchitecture } from '@awq/models'
import { createEngine } from '@awq/ort'
import { loadModel, modelLogits } from '@awq/runtime'
import { openFolder } from '@awq/tensor/node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { distance, divergence, type GoldenSequence } from '../../test/families/checkpoints.ts'
import { gptj } from './gptj.ts'

const path = (file: string) => fileURLToPath(new URL(file, import.meta.url))
const model = path('fixtures/gptj')
const config = JSON.parse(await readFile(path('fixtures/gptj/config.json'), 'utf8'))
const golden: { sequences: GoldenSequence[] } = JSON.parse(await readFile(path('fixtures/gptj/golden.json'), 'utf8'))
const { ids, logits } = golden.sequences[0]!
const engine = await createEngine({ threads: 1 })
let scratch: string

test('it is not built in', () => {
  expect(() => describeModel(config)).toThrow(/"gptj" is not supported.*registerArchitecture/)
})

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'awq-custom-architecture-'))
})
afterAll(async () => {
  await engine.dispose()
  await rm(scratch, { recursive: true, force: true })
})

test('registered, its float logits are those of transformers, it quantizes and writes', async () => {
  registerArchitecture(gptj)
  const float = await modelLogits(await openFolder(model), ids, { engine, all: true })
  expect(distance(float, logits)).toBeLessThan(3e-5)
  const output = join(scratch, 'out')
  await quantize({ engine, model, output, bits: 8, groupSize: 32, method: 'awq', samples: 4, length: 32 })
  const folder = await openFolder(output)
  const packed = await modelLogits(folder, ids, { engine, all: true })
  expect(divergence(packed, logits)).toBeLessThan(2e-3)
  await using loaded = await loadModel(folder, { engine, accuracy: 'exact' })
  const { ids: written } = await loaded.generate({ ids: ids.slice(0, 6) }, { maxNewTokens: 6 }).result
  const whole = await modelLogits(folder, [...ids.slice(0, 6), ...written], { engine, all: true })
  expect(written).toEqual(whole.slice(5, -1).map((row) => row.indexOf(Math.max(...row))))
})

test('the guide shows this very table', async () => {
  const source = await readFile(path('gptj.ts'), 'utf8')
  const guide = await readFile(path('../../docs/custom-architecture.md'), 'utf8')
  const parts = [...guide.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code!)
  const own = parts.filter((code) => code.startsWith('export const gptj'))
  expect(own).toHaveLength(1)
  expect(source).toContain(own[0])
})
