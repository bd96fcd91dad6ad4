import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { urlFolder } from './url-folder.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

/** A server of files that gives a page for what it has not, when it is given one. */
const serve = async (files: Record<string, string>, page?: string) => {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const { pathname, search } = new URL(request.url!, 'http://x')
    asked.push(decodeURIComponent(pathname) + search)
    const text = files[decodeURIComponent(pathname)]
    if (text === undefined) {
      response.writeHead(page ? 200 : 404, { 'content-type': 'text/html; charset=utf-8' }).end(page)
      return
    }
    const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')!.map(Number) as [0, number, number]
    const content = new TextEncoder().encode(text)
    const part = content.subarray(start, end + 1)
    response
      .writeHead(206, { 'content-range': `bytes ${start}-${start + part.length - 1}/${content.length}`, etag: '"7"' })
      .end(part)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

const index = JSON.stringify({
  weight_map: { a: 'model-00001-of-00002.safetensors', b: 'model-00002-of-00002.safetensors' },
})
const hash = 'a'.repeat(64)

describe.each([undefined, '<!doctype html>'])('a server that answers for a missing file: %s', (page) => {
  test('is asked for the names that a model has, and for the shards of an index', async () => {
    const { url, asked } = await serve({ '/m/config.json': '{}', '/m/model.safetensors.index.json': index }, page)
    const folder = urlFolder(`${url}/m`)
    expect(asked).toEqual([])
    expect(await folder.list()).toEqual([
      'config.json',
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      'model.safetensors.index.json',
    ])
    expect(await folder.has('config.json')).toBe(true)
    expect(await folder.has('tokenizer.json')).toBe(false)
    expect(await folder.readText('config.json')).toBe('{}')
    await expect(folder.open('tokenizer.json')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(asked.filter((path) => path === '/m/tokenizer.json')).toHaveLength(1)
  })
})

test('of an address that is no model, and for unfinished work, little is asked', async () => {
  const { url, asked } = await serve({})
  const folder = urlFolder(url)
  expect(await folder.list()).toEqual([])
  expect(await folder.has('.awq-partial/commit.json')).toBe(false)
  expect(asked).toEqual(['/quantization.json', '/config.json'])
})

test('a quantized model says itself which files it has', async () => {
  const manifest = JSON.stringify({ hashes: { 'config.json': hash, 'model.safetensors': hash, odd: 'x' } })
  const { url, asked } = await serve({ '/quantization.json': manifest })
  expect(await urlFolder(url).list()).toEqual(['config.json', 'model.safetensors', 'quantization.json'])
  expect(new Set(asked)).toEqual(new Set(['/quantization.json']))
})

test('the files can be given; the query stays, names are encoded', async () => {
  const { url, asked } = await serve({ '/m/a b.txt': 'text' })
  const folder = urlFolder(`${url}/m/?key=1`, { files: ['a b.txt'] })
  expect(await folder.list()).toEqual(['a b.txt'])
  expect(await folder.has('config.json')).toBe(false)
  expect(await folder.readText('a b.txt')).toBe('text')
  expect((await folder.open('a b.txt')).version).toBe('"7"')
  expect(new Set(asked)).toEqual(new Set(['/m/a b.txt?key=1']))
})

test('names that leave the folder, and what is no URL, are refused', async () => {
  await expect(urlFolder('http://127.0.0.1:1/').open('../x')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect(() => urlFolder('no url')).toThrow(/is not a URL/)
})

test('a server that cannot be reached is an error, not an empty folder', async () => {
  const folder = urlFolder('http://127.0.0.1:1/', { retries: 0 })
  await expect(folder.list()).rejects.toMatchObject({ code: 'NETWORK' })
})

test('a part is fetched as a Blob, and what arrives is told', async () => {
  const { url } = await serve({ '/x': '0123456789' })
  let count = 0
  const source = await urlFolder(url).open('x')
  const blob = await source.blob!(2, 5, { onBytes: (bytes) => (count += bytes) })
  expect([await blob.text(), count]).toEqual(['23456', 5])
})
