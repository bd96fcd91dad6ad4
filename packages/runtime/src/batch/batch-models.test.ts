import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createEngine } from '@awq/ort'
import { openFolder } from '@awq/tensor/node'
import { afterAll, describe, expect, it } from 'vitest'
import type { GenerateOptions } from '../generation-options.ts'
import type { LanguageModel } from '../language-model.ts'
import { loadModel } from '../load-model.ts'
import { createRandom } from '../random.ts'

const engine = await createEngine({ threads: 1 })
afterAll(() => engine.dispose())
const root = new URL('../../../../', import.meta.url)
const open = (path: string) => openFolder(fileURLToPath(new URL(path, root)))

/** Prompts of odd lengths, some with a common beginning, that join at different times; some are left early. */
const requests = (vocabSize: number, longest: number) => {
  const random = createRandom(7)
  const below = (count: number) => Math.floor(random.next() * count)
  const common = Array.from({ length: longest >> 1 }, () => below(vocabSize))
  return Array.from({ length: 12 }, (_, index) => ({
    ids: [
      ...(index % 3 === 0 ? common.slice(0, below(common.length)) : []),
      ...Array.from({ length: 1 + below(longest >> 1) }, () => below(vocabSize)),
    ],
    options: { maxNewTokens: 1 + below(24), ignoreEos: true, temperature: 0 } satisfies GenerateOptions,
    after: below(20),
    leaveAt: index % 4 === 3 ? below(10) : Number.POSITIVE_INFINITY,
  }))
}

type Request = ReturnType<typeof requests>[number]

const write = async (model: LanguageModel, { ids, options, leaveAt }: Request): Promise<number[]> => {
  const made: number[] = []
  for await (const { id } of model.generate({ ids }, options)) {
    made.push(id)
    if (made.length >= leaveAt) break
  }
  return made
}

const together = (model: LanguageModel, all: readonly Request[]) =>
  Promise.all(
    all.map(async (request) => {
      for (let i = 0; i < request.after; i++) await new Promise((resolve) => setImmediate(resolve))
      return write(model, request)
    }),
  )

describe('a batch writes what a single generation writes', () => {
  const fixtures = readdirSync(fileURLToPath(new URL('test/fixtures/models', root)))
  const tiny = fixtures
    .filter((name) => !/fp8|mxfp4|multimodal/.test(name))
    .map((name) => `test/fixtures/models/${name}`)
  const cases = [...tiny.map((path) => [path, 40] as const), ['examples/models/stories260k', 300] as const]
  it.each(cases)('%s', async (path, longest) => {
    const folder = await open(path)
    const common = { engine, accuracy: 'exact' } as const
    await using alone = await loadModel(folder, common)
    await using batched = await loadModel(folder, { ...common, batch: { maxBatch: 5, cacheTokens: 2000 } })
    const all = requests(alone.description.config.vocabSize, Math.min(longest, alone.contextLength - 30))
    const expected: number[][] = []
    for (const request of all) expected.push(await write(alone, request))
    expect(await together(batched, all)).toEqual(expected)
    expect(batched.load).toMatchObject({ active: 0, waiting: 0 })
  })
})
