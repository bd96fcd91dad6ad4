import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compare, type Method, quantize } from '@awq/core'
import { evaluate } from '@awq/evaluate'
import { loadModel } from '@awq/runtime/node'
import { openFolder } from '@awq/tensor/node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { meanAndMax, ownAwq, stochastic } from './custom-quantizer.ts'

const path = (file: string) => fileURLToPath(new URL(file, import.meta.url))
const model = path('../models/stories260k')
const text = await readFile(path('../demo/stories-evaluation.txt'), 'utf8')
const settings = { model, groupSize: 32, calibration: path('../demo/stories-calibration.txt'), samples: 8, length: 128 }
const windows = { window: 256, maxWindows: 8 }

let scratch: string
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'awq-custom-quantizer-'))
})
afterAll(() => rm(scratch, { recursive: true, force: true }))

/** Quantizes by a method, opens the folder, and gives its perplexity and a few words of it. */
const tryOut = async (method: Method) => {
  const output = join(scratch, method.name)
  await quantize({ ...settings, method, output, bits: 4 })
  await using loaded = await loadModel(output)
  const { text: story } = await loaded.generate({ prompt: 'Once upon a time' }, { maxNewTokens: 20 }).result
  const { perplexity } = await evaluate({ model: await openFolder(output), text, ...windows })
  return { story, perplexity }
}

describe('a quantizer of your own', () => {
  let float: number
  beforeAll(async () => {
    float = (await evaluate({ model: await openFolder(model), text, ...windows })).perplexity
  })

  test.each([ownAwq, stochastic])(
    '$name writes a model that runs',
    async (method) => {
      const { story, perplexity } = await tryOut(method)
      expect(story.trim().split(' ').length).toBeGreaterThan(4)
      expect(perplexity).toBeGreaterThan(float)
      expect(perplexity).toBeLessThan(float * 1.5)
    },
    60_000,
  )

  test('at 3 bits the own scale wins back what rounding lost, and chance loses more', async () => {
    const methods = ['rtn', ownAwq, stochastic] as const
    const rows = await compare({ ...settings, methods, bits: [3], text, ...windows })
    const perplexityOf = (name: string) => rows.find(({ method }) => method === name)!.perplexity
    expect(perplexityOf('mean-and-max')).toBeLessThan(perplexityOf('rtn'))
    expect(perplexityOf('stochastic')).toBeGreaterThan(perplexityOf('rtn'))
  }, 60_000)

  test('the guide shows this very code, each part of it in less than 30 lines', async () => {
    const source = await readFile(path('custom-quantizer.ts'), 'utf8')
    const guide = await readFile(path('../../docs/custom-quantizer.md'), 'utf8')
    const parts = [...guide.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code!)
    const own = parts.filter((code) => source.includes(code))
    // The imports, a strategy, a rounding, and a method with each of them: with nothing left out it is the whole file.
    expect(own).toHaveLength(5)
    const known = own.reduce((rest, code) => rest.replace(code, ''), source)
    expect(known.replace(/\/\*\*.*?\*\//gs, '').trim()).toBe('')
    for (const code of own) {
      expect(code.trimEnd().split('\n').length).toBeLessThan(30)
    }
  })

  test('a named method takes the strategy as an option', async () => {
    const output = join(scratch, 'option')
    const { method } = await quantize({ ...settings, method: 'awq', scaleStrategy: meanAndMax, output, bits: 4 })
    expect(method).toBe('awq')
  }, 60_000)
})
