/** Loading in Chromium: from a URL with a copy, with progress, offline, refused where it must be. */
import { createEngine } from '@awq/ort'
import { type BrowserLoadOptions, type LoadEvent, loadModel, preferredDevice } from '@awq/runtime/browser'
import { memoryFolder } from '@awq/tensor'
import { cachedModels, filesFolder, removeCached, urlFolder } from '@awq/tensor/browser'
import { afterEach, expect, test } from 'vitest'

const url = '/examples/models/stories260k/'
const cache = `test-${crypto.randomUUID()}`
afterEach(() => removeCached(cache))

const load = async (options: BrowserLoadOptions, from: Parameters<typeof loadModel>[0] = url) => {
  const events: LoadEvent[] = []
  const onProgress = (event: LoadEvent) => events.push(event)
  await using model = await loadModel(from, { device: 'cpu', accuracy: 'exact', cache, onProgress, ...options })
  const { text } = await model.generate({ prompt: 'Once upon a time' }, { maxNewTokens: 12 }).result
  return { text, events, model }
}

test('a model behind a URL is downloaded once, with progress, then loads offline', async () => {
  const asked: string[] = []
  const counting: typeof fetch = (input, init) => {
    asked.push(String(input))
    return fetch(input, init)
  }
  const first = await load({ fetch: counting })
  expect(first.text).toMatch(/^, there was a little girl/)
  const downloads = first.events.filter(({ stage }) => stage === 'download')
  expect(downloads.at(-1)).toMatchObject({ file: 'model.safetensors', loaded: 1_044_992, total: 1_044_992 })
  const stages = first.events.map(({ stage }) => stage)
  expect(stages.filter((stage, i) => stage !== stages[i - 1])).toEqual(['open', 'download', 'load', 'ready'])
  const ready = first.events.at(-1)!
  expect(ready).toMatchObject({
    stage: 'ready',
    memory: { heapBytes: expect.any(Number), pieceBytes: expect.any(Number) },
  })
  expect((await cachedModels()).find(({ name }) => name === cache)).toMatchObject({ complete: true })
  expect(asked.length).toBeGreaterThan(0)

  const offline = await load({ fetch: () => Promise.reject(new Error('offline')) })
  expect(offline.text).toBe(first.text)
})

test('a tensor larger than the device’s buffers is named before any weight is fetched', async () => {
  const engine = await createEngine({ device: 'webgpu' })
  try {
    expect(engine.limits!.bindingBytes).toBeGreaterThanOrEqual(128 * 2 ** 20)
    const small = { ...engine, limits: { bufferBytes: 2 ** 20, bindingBytes: 100_000 } }
    const events: LoadEvent[] = []
    const options = { engine: small, cache, onProgress: (event: LoadEvent) => events.push(event) }
    await expect(loadModel(url, options)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringMatching(
        /^model\.embed_tokens\.weight takes 1 MB as float32, but a buffer of this device has/,
      ),
    })
    expect(events.map(({ stage }) => stage)).not.toContain('download')
  } finally {
    await engine.dispose()
  }
})

test('a file that is cut off, and one that is none, are refused by name', async () => {
  const folder = urlFolder(url)
  const files: Record<string, Uint8Array> = {}
  for (const file of await folder.list()) {
    const source = await folder.open(file)
    files[file] = await source.read(0, source.size)
  }
  const cut = { ...files, 'model.safetensors': files['model.safetensors']!.slice(0, 500_000) }
  await expect(load({}, memoryFolder(cut, 'cut'))).rejects.toMatchObject({ code: 'INVALID_FILE' })
  const broken = { ...files, 'config.json': new TextEncoder().encode('{') }
  await expect(load({}, memoryFolder(broken, 'broken'))).rejects.toThrow(/config\.json/)
  const chosen = Object.entries(files).map(([name, bytes]) => new File([bytes as Uint8Array<ArrayBuffer>], name))
  expect((await load({}, filesFolder(chosen))).text).toMatch(/^, there was a little girl/)
})

test('a page has a device that it prefers', async () => {
  expect(['cpu', 'webgpu']).toContain(await preferredDevice())
})
