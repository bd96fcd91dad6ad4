/** Text about images in Chromium is Node's, on WebAssembly. */
import { loadModel } from '@awq/runtime/browser'
import { urlFolder } from '@awq/tensor/browser'
import { beforeAll, expect, test } from 'vitest'
import { seeingFolder } from './families/processor-files.ts'
import goldens from './fixtures/vision-text.json'
import type { GreedyText } from './greedy-text.ts'
import { pictures, writeAboutImages } from './vision-text.ts'

const expected: Readonly<Record<string, readonly GreedyText[]>> = goldens
const addressOf = (name: string): string => `/packages/image/src/fixtures/images/${name}`
const weights = ['config.json', 'tokenizer.json', 'model.safetensors']
const folderOf = (name: string) => seeingFolder(urlFolder(`/test/fixtures/models/${name}`, { files: weights }))

let blobs: [Blob, Blob]
beforeAll(async () => {
  const [first, second] = await Promise.all(pictures.map(async (name) => (await fetch(addressOf(name))).blob()))
  blobs = [first!, second!]
})

test.each(Object.keys(expected))('%s', async (name) => {
  const warnings: string[] = []
  const onWarning = (message: string) => warnings.push(message)
  await using model = await loadModel(await folderOf(name), { device: 'cpu', accuracy: 'exact', onWarning })
  expect(model.sees).toBe(true)
  expect(warnings).toEqual([])
  expect(await writeAboutImages(model, blobs)).toEqual(expected[name])
})
