import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AwqError } from '@awq/tensor'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { clipPass } from './clip-pass.ts'
import { compare } from './compare.ts'
import { compensatePass } from './compensate-pass.ts'
import { awq, awqGptq, gptq, type Method } from './methods.ts'
import { quantize } from './quantize.ts'

const model = fileURLToPath(new URL('../../../examples/models/stories260k', import.meta.url))
const stories = (name: string) => fileURLToPath(new URL(`../../../examples/demo/stories-${name}.txt`, import.meta.url))
const common = { model, groupSize: 64, samples: 8, length: 64, calibration: stories('calibration') } as const

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'awq-compensate-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('makes up for a good part of what rounding loses, with any rounding', { timeout: 120_000 }, async () => {
  const rows = await compare({
    ...common,
    methods: [awq(), awq({ propagate: 'compensated' }), awqGptq(), awqGptq({ propagate: 'compensated' })],
    bits: [3],
    text: await readFile(stories('evaluation'), 'utf8'),
    window: 128,
    maxWindows: 4,
  })
  const [, plain, moved, plainGptq, movedGptq] = rows.map(({ kl }) => kl!)
  expect(moved).toBeLessThan(0.9 * plain!)
  expect(movedGptq).toBeLessThan(0.9 * plainGptq!)
})

test('a resumed run gives the same bytes', { timeout: 120_000 }, async () => {
  const method = (): Method => awqGptq({ propagate: 'compensated' })
  const whole = join(folder, 'whole')
  const broken = join(folder, 'broken')
  await quantize({ ...common, method: method(), output: whole })
  const controller = new AbortController()
  const aborted = quantize({
    ...common,
    method: method(),
    output: broken,
    signal: controller.signal,
    onProgress: (event) => {
      if (event.type === 'layer' && event.layer === 2) controller.abort(new Error('stop'))
    },
  })
  await expect(aborted).rejects.toThrow('stop')
  const result = await quantize({ ...common, method: method(), output: broken, resume: true })
  expect(result.resumedLayers).toBe(3)
  const file = 'model.safetensors'
  expect(await readFile(join(broken, file))).toEqual(await readFile(join(whole, file)))
})

// Biases where nothing is added to the stream, and parallel branches, whose sums stand in another order in each family.
const families = ['gpt2', 'starcoder2', 'gpt-neox', 'phi', 'cohere', 'stablelm-bias']
test.each(families)('goes through the blocks of %s', { timeout: 60_000 }, async (family) => {
  const result = await quantize({
    model: fileURLToPath(new URL(`../../../test/fixtures/models/${family}`, import.meta.url)),
    output: join(folder, family),
    method: gptq({ propagate: 'compensated' }),
    groupSize: 16,
    samples: 2,
    length: 16,
  })
  expect(result.layers).toBe(2)
})

test('asks for a rounding among its passes', async () => {
  const method: Method = {
    name: 'clip only',
    passes: [compensatePass({ passes: [clipPass()] })],
    statistics: true,
    propagate: 'float',
  }
  const failed = quantize({ ...common, method, output: join(folder, 'none') })
  await expect(failed).rejects.toThrow(/needs a rounding pass/)
  await expect(failed).rejects.toBeInstanceOf(AwqError)
})
