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

const committed = new Set(committedCheckpoints.map(({ name }) => name))
const names = readyCheckpoints.map(({ name }) => name).filter((name) => committed.has(name))

test('the goldens that browsers are held to are what Node writes', async () => {
  const written: Record<string, GreedyText> = {}
  for (const given of greedyCases(names)) {
    await using model = await loadModel(join(root, given.folder), { engine, accuracy: 'exact' })
    written[given.folder] = await writeGreedily(model, given)
  }
  const file = join(root, goldenFile)
  if (!existsSync(file) && !process.env.CI) writeFileSync(file, `${JSON.stringify(written, null, 1)}\n`)
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(written)
})
