import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createEngine } from '@awq/ort'
import { loadModel } from '@awq/runtime/node'
import { openFolder } from '@awq/tensor/node'
import { afterAll, expect, test } from 'vitest'
import { committedCheckpoints } from './families/checkpoints.ts'
import { seeingFolder } from './families/processor-files.ts'
import type { GreedyText } from './greedy-text.ts'
import { goldenFile, pictures, writeAboutImages } from './vision-text.ts'

const root = join(import.meta.dirname, '..')
const engine = await createEngine({ threads: 1 })
afterAll(() => engine.dispose())

const file = join(root, goldenFile)
const seeing = committedCheckpoints.filter(({ path }) => existsSync(join(path, 'vision.json')))

test('the goldens that browsers are held to are what Node writes', async () => {
  const [first, second] = pictures.map((name) => readFileSync(join(root, 'packages/image/src/fixtures/images', name)))
  const written: Record<string, GreedyText[]> = {}
  for (const { name, path } of seeing) {
    await using model = await loadModel(await seeingFolder(await openFolder(path)), { engine, accuracy: 'exact' })
    written[name] = await writeAboutImages(model, [first!, second!])
  }
  expect(Object.keys(written)).toHaveLength(seeing.length)
  if (existsSync(file)) expect(written).toEqual(JSON.parse(readFileSync(file, 'utf8')))
  else writeFileSync(file, `${JSON.stringify(written, null, 1)}\n`)
}, 60_000)
