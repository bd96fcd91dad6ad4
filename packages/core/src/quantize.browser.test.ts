import { openStore } from '@awq/quantize'
import { httpSource, memoryFolder } from '@awq/tensor'
import { expect, test } from 'vitest'
import { openOutput, outputState, quantizeInWorker, removeOutput } from './browser.ts'
import { inspect, type ProgressEvent } from './index.ts'

const FILES = ['config.json', 'model.safetensors', 'tokenizer.json']

/** The model of the examples, as a page has it that downloaded it. */
const stories = async () => {
  const files: Record<string, Uint8Array> = {}
  for (const file of FILES) {
    const source = await httpSource(new URL(`/examples/models/stories260k/${file}`, location.href))
    files[file] = await source.read(0, source.size)
  }
  return memoryFolder(files, 'stories260k')
}

const settings = { groupSize: 32, samples: 8, length: 64 }

test('a model is quantized in a Worker, into the private file system', async () => {
  await removeOutput('models/first')
  expect(await outputState('models/first')).toEqual({ state: 'empty', layers: 0 })
  const events: ProgressEvent[] = []
  const onProgress = (event: ProgressEvent) => events.push(event)
  const result = await quantizeInWorker({ model: await stories(), output: 'models/first', ...settings, onProgress })
  expect(result).toMatchObject({ output: 'models/first', layers: 5, resumedLayers: 0 })
  expect(events.filter(({ type }) => type === 'layer')).toHaveLength(5)
  expect(await outputState('models/first')).toEqual({ state: 'finished', layers: 0 })
  const folder = await openOutput('models/first')
  expect(await folder.list()).toContain('quantization.json')
  await using store = await openStore(folder)
  expect(store.manifest.source).toMatchObject({ name: 'stories260k' })
  expect((await inspect(folder)).files?.damaged).toEqual([])
})
