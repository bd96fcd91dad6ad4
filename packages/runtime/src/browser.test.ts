import { readFile } from 'node:fs/promises'
import type { Engine } from '@awq/ort'
import * as ort from '@awq/ort'
import { AwqError, memoryFolder } from '@awq/tensor'
import { urlFolder } from '@awq/tensor/browser'
import { afterEach, expect, test, vi } from 'vitest'
import { loadModel } from './browser.ts'

vi.mock('@awq/ort', async (importActual) => {
  const actual = await importActual<typeof import('@awq/ort')>()
  return { ...actual, createEngine: vi.fn(actual.createEngine) }
})

const stories = new URL('../../../examples/models/stories260k/', import.meta.url)

/** A server of the model's files, with ranges. */
const served: typeof fetch = async (input, init) => {
  init?.signal?.throwIfAborted()
  const { pathname } = new URL(String(input))
  const content = await readFile(new URL(`.${pathname}`, stories)).catch(() => undefined)
  if (!content) return new Response(null, { status: 404 })
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(new Headers(init?.headers).get('range') ?? '')!.map(Number)
  const part = content.subarray(first, last! + 1)
  return new Response(part, { status: 206, headers: { 'content-range': `bytes ${first}-${last}/${content.length}` } })
}

afterEach(() => vi.unstubAllGlobals())

test('the signal of loading stops loading, and nothing that is fetched later', async () => {
  const controller = new AbortController()
  const options = { cache: false, preload: false, device: 'cpu', threads: 1, fetch: served } as const
  await using model = await loadModel('http://models/', { ...options, signal: controller.signal })
  controller.abort(new Error('an old signal'))
  const { text } = await model.generate({ prompt: 'Once upon a time' }, { maxNewTokens: 4 }).result
  expect(text.length).toBeGreaterThan(0)
  await expect(loadModel('http://models/', { ...options, signal: controller.signal })).rejects.toThrow('an old signal')
})

/** An engine that stands for a GPU, found by `preferredDevice`; `make` is what becomes of it. */
const onGpu = async (make: () => Promise<Engine>) => {
  vi.stubGlobal('navigator', { gpu: { requestAdapter: async () => ({ info: {} }) } })
  const { createEngine } = await vi.importActual<typeof import('@awq/ort')>('@awq/ort')
  vi.mocked(ort.createEngine).mockImplementation((options) =>
    options?.device === 'webgpu' ? make() : createEngine({ ...options, threads: 1 }),
  )
}

const folder = urlFolder('http://models/', { fetch: served })

test('what a device lacks, the CPU may have', async () => {
  await onGpu(() => Promise.reject(new AwqError('UNSUPPORTED', 'no such device.')))
  const warnings: string[] = []
  await using _ = await loadModel(folder, { onWarning: (message) => warnings.push(message) })
  expect(warnings).toEqual(['no such device. The model is loaded on the CPU instead.'])
})

test('an error that is the model’s is no reason to try another device', async () => {
  await onGpu(() => ort.createEngine({ device: 'cpu' }))
  const warnings: string[] = []
  const config = JSON.stringify({ architectures: ['NobodyKnowsForCausalLM'], model_type: 'nobody' })
  const unknown = memoryFolder({ 'config.json': config, 'tokenizer.json': '{}' })
  const onWarning = (message: string) => warnings.push(message)
  await expect(loadModel(unknown, { onWarning })).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  expect(warnings).toEqual([])
})
