import { fileURLToPath } from 'node:url'
import { openBlockRunner } from '@awq/calibration'
import { describeModel, embedTokens, openFloatCheckpoint, readBlockWeights } from '@awq/models'
import { createEngine, type Engine } from '@awq/ort'
import { openFolder } from '@awq/tensor/node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LEAST_EXPERT_TOKENS, rareExpertsText, settleExperts } from './expert-stats.ts'

let engine: Engine
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
})
afterAll(() => engine.dispose())

const observe = async (tokens: number, allExperts: boolean) => {
  const path = fileURLToPath(new URL('../../../test/fixtures/models/mixtral', import.meta.url))
  const folder = await openFolder(path)
  const description = describeModel(JSON.parse(await folder.readText('config.json')))
  await using checkpoint = await openFloatCheckpoint(folder, description)
  const ids = Int32Array.from({ length: tokens }, (_, i) => (i * 7) % 48)
  const stream = [await embedTokens(engine, checkpoint, description, ids, 1)]
  await using runner = openBlockRunner(engine)
  const weights = await readBlockWeights(checkpoint, description, 0)
  const structure = description.blocks[0]!
  const { stats } = await runner.run(structure, weights, stream, { observe: true, allExperts })
  return { structure, stats }
}

test('experts are seen by the tokens routed to them, two for each token, weighted', async () => {
  const { stats } = await observe(60, false)
  const reached = [0, 1, 2, 3].map((expert) => stats.get(`mlpInput.${expert}`)!.reached!)
  expect(reached.reduce((sum, count) => sum + count, 0)).toBe(120)
  expect(stats.get('mlpInput')!.reached).toBeUndefined()
  // Weights of a token add up to one: what all experts see adds up to less than the whole.
  const sumAbs = [0, 1, 2, 3].reduce((sum, expert) => sum + stats.get(`mlpInput.${expert}`)!.meanAbs[0]!, 0)
  expect(sumAbs).toBeCloseTo(stats.get('mlpInput')!.meanAbs[0]!, 5)
})

test('all experts see all tokens where that is asked for', async () => {
  const { stats } = await observe(60, true)
  const whole = stats.get('mlpInput')!
  for (const expert of [0, 1, 2, 3]) {
    const own = stats.get(`mlpInput.${expert}`)!
    expect(own.reached).toBe(60)
    expect([...own.gram]).toEqual([...whole.gram])
  }
})

test('experts that few tokens reach take the statistics of all tokens, and none further inside', async () => {
  const { structure, stats } = await observe(40, false)
  const { stats: settled, rare, tokens } = settleExperts(structure, stats)
  expect(tokens).toBe(40)
  expect(rare.length).toBeGreaterThan(0)
  for (const expert of [0, 1, 2, 3]) {
    const [first, inner] = [`mlpInput.${expert}`, `gated.${expert}`] as const
    const few = stats.get(first)!.reached! < LEAST_EXPERT_TOKENS
    expect(rare.includes(expert)).toBe(few)
    if (few) {
      expect(settled.get(first)!.gram).toBe(stats.get('mlpInput')!.gram)
      expect(new Set(settled.get(inner)!.meanAbs)).toEqual(new Set([1]))
    } else expect(settled.get(inner)).toBe(stats.get(inner))
  }
  expect(rareExpertsText('model.layers.0', { stats: settled, rare, tokens })).toMatch(
    /^model.layers.0: experts? [\d, ]+ (is|are) given fewer than 32 of the 40 .*--moe-calibrate-all/,
  )
})
