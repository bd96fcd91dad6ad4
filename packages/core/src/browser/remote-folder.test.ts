import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Folder, memoryFolder } from '@awq/tensor'
import { filesFolder, urlFolder } from '@awq/tensor/browser'
import { afterEach, describe, expect, test } from 'vitest'
import { quantize } from '../quantize.ts'
import { type OfferOptions, offerFolder, remoteFolder } from './remote-folder.ts'

const stories = fileURLToPath(new URL('../../../../examples/models/stories260k', import.meta.url))
const weights = 'model.safetensors'

const endings: (() => unknown)[] = []
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

/** A server of the stories' model that counts what it is asked and what it sends. */
const serve = async ({ stalls = false } = {}) => {
  const asked: string[] = []
  const sent: Record<string, number> = {}
  let cancelled = 0
  const names = await readdir(stories)
  const server: Server = createServer(async (request, response) => {
    const file = request.url!.slice(1)
    asked.push(file)
    if (!names.includes(file)) return response.writeHead(404).end()
    const content = await readFile(join(stories, file))
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')?.map(Number)
    const part = range ? content.subarray(range[1], range[2]! + 1) : content
    if (stalls && part.length > 1) {
      response.on('close', () => cancelled++)
      return response
        .writeHead(206, { 'content-range': `bytes ${range![1]}-${range![2]}/${content.length}` })
        .write('x')
    }
    sent[file] = (sent[file] ?? 0) + part.length
    const place = `bytes ${range![1]}-${range![1]! + part.length - 1}/${content.length}`
    return response.writeHead(206, { 'content-range': place, etag: '"1"' }).end(part)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  endings.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  return { url, asked, sent, cancelled: () => cancelled, size: (await readFile(join(stories, weights))).length }
}

/** A folder as the Worker has it. */
const crossed = (folder: Folder, options?: OfferOptions): Folder & { stop(): void } => {
  const { sent, stop } = offerFolder(folder, options)
  endings.push(stop)
  return { ...remoteFolder(sent), stop }
}

const run = async (model: Folder) => {
  const output = await mkdtemp(join(tmpdir(), 'awq-remote-'))
  endings.push(() => rm(output, { recursive: true, force: true }))
  await quantize({ model, output: join(output, 'm'), method: 'awq', groupSize: 32, samples: 2, length: 16, threads: 1 })
}

describe('a model of a URL that is quantized in a Worker', () => {
  test('is fetched once, but for the embedding', async () => {
    const { url, sent, asked, size } = await serve()
    await run(crossed(urlFolder(url), { smallBytes: 2 ** 16 }))
    // Embedding, which is the head too: 512 rows of 64 values, looked through, looked up, and written.
    const embedding = 512 * 64 * 4
    expect(sent[weights]).toBeLessThan(size + 4 * embedding)
    expect(sent[weights]).toBeGreaterThan(size - embedding)
    // Its size, then its text.
    expect(asked.filter((file) => file === 'config.json')).toHaveLength(2)
  })

  test('is fetched by one request when it is small', async () => {
    const { url, asked, sent, size } = await serve()
    await run(crossed(urlFolder(url)))
    expect(sent[weights]).toBe(size + 1)
    expect(asked.filter((file) => file === weights)).toHaveLength(2)
  })

  test('says how much of it is there when its server sends files whole only', async () => {
    const content = new Uint8Array(33 * 2 ** 20)
    const told: number[] = []
    let answers = 0
    const fetch = async () => {
      answers++
      return new Response(content, { headers: { 'content-length': String(content.length) } })
    }
    const folder = crossed(urlFolder('http://host/', { fetch }), { onDownload: ({ loaded }) => told.push(loaded) })
    const source = await folder.open(weights)
    expect(await source.read(content.length - 1, 1)).toEqual(Uint8Array.of(0))
    expect(await source.read(0, 1)).toEqual(Uint8Array.of(0))
    expect(told.at(-1)).toBe(content.length)
    expect(answers).toBe(2)
  })
})

test('a part that is not wanted any more is not fetched on', async () => {
  const { url, cancelled } = await serve({ stalls: true })
  const folder = crossed(urlFolder(url), { smallBytes: 0 })
  const source = await folder.open(weights)
  const controller = new AbortController()
  const reading = source.read(0, 1000, { signal: controller.signal })
  setTimeout(() => controller.abort(new Error('enough')), 50)
  await expect(reading).rejects.toThrow('enough')
  void source.read(0, 1000).catch(() => {})
  await new Promise((resolve) => setTimeout(resolve, 50))
  folder.stop()
  await expect.poll(cancelled).toBe(2)
})

test('a file that the page was given crosses as a Blob, and is opened once', async () => {
  const files = filesFolder([new File(['{"a":1}'], 'config.json')])
  let opened = 0
  const folder = crossed({ ...files, open: (file) => files.open(file).finally(() => opened++) })
  const source = await folder.open('config.json')
  expect(source.localBlob).toBe(true)
  expect(await folder.readText('config.json')).toBe('{"a":1}')
  expect(opened).toBe(1)
  await expect(folder.open('other')).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('of others, the parts that are asked for', async () => {
  const folder = crossed(memoryFolder({ a: Uint8Array.of(1, 2, 3, 4) }), { smallBytes: 0 })
  const source = await folder.open('a')
  expect(source.blob).toBeUndefined()
  expect(await source.read(1, 2)).toEqual(Uint8Array.of(2, 3))
  await expect(source.read(3, 2)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect(await folder.list()).toEqual(['a'])
  expect(await folder.has('b')).toBe(false)
})
