import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createEngine } from '@awq/ort'
import { loadModel } from '@awq/runtime/node'
import { afterAll, expect, test } from 'vitest'
import { committedCheckpoints, readyCheckpoints } from './families/checkpoints.ts'
import { type GreedyText, goldenFile, greedyCases, writeGreedily } from './greedy-text.ts'

const root = join(import.meta.dirname, '..')
const engine = await createEngine({ threads: 1 })
afterAll(() => engine.dispose())

const file = join(root, goldenFile)
const made = new Set(committedCheckpoints.map(({ name }) => name))
const names = readyCheckpoints.map(({ name }) => name).filter((name) => made.has(name))

test('the goldens that browsers are held to are what Node writes', async () => {
  const goldens: Record<string, GreedyText> = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
  const written: Record<string, GreedyText> = {}
  for (const given of greedyCases(names)) {
    if (existsSync(file) && !goldens[given.folder]) continue
    await using model = await loadModel(join(root, given.folder), { engine, accuracy: 'exact' })
    written[given.folder] = await writeGreedily(model, given)
  }
  if (existsSync(file)) expect(written).toEqual(goldens)
  else writeFileSync(file, `${JSON.stringify(written, null, 1)}\n`)
}, 60_000)
