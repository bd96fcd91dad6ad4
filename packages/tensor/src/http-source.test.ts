import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { httpSource } from './http-source.ts'

const content = Uint8Array.from({ length: 1000 }, (_, i) => i % 251)
const servers: Server[] = []

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void

/** A server that counts its requests; gives the URL of its one file. */
async function serve(handler: Handler): Promise<string> {
  let count = 0
  const server = createServer((request, response) => handler(request, response, ++count))
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/model.safetensors?token=secret`
}

/** Answers range requests as RFC 9110 says. */
function ranged(request: IncomingMessage, response: ServerResponse, headers: Record<string, string> = {}): void {
  const [start, end] = /^bytes=(\d+)-(\d+)$/
    .exec(request.headers.range ?? '')!
    .slice(1)
    .map(Number) as [number, number]
  const part = content.subarray(start, end + 1)
  const range = `bytes ${start}-${end}/${content.length}`
  response.writeHead(206, { 'content-range': range, 'content-length': part.length, etag: '"1"', ...headers }).end(part)
}

const quick = { timeout: 300, retries: 0 }

describe('a server with range requests', () => {
  test('is asked for just the bytes wanted', async () => {
    const asked: unknown[] = []
    const url = await serve((request, response) => {
      asked.push(request.headers.range, request.headers.authorization)
      ranged(request, response)
    })
    const source = await httpSource(url, { headers: { authorization: 'Bearer x' } })
    expect(source.size).toBe(1000)
    expect(await source.read(10, 5)).toEqual(content.slice(10, 15))
    expect(await source.read(1000, 0)).toEqual(new Uint8Array(0))
    expect(asked).toEqual(['bytes=0-0', 'Bearer x', 'bytes=10-14', 'Bearer x'])
    expect(source.name).not.toContain('secret')
    await expect(source.read(999, 2)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  test('an empty file (416) has size 0', async () => {
    const url = await serve((_, response) => void response.writeHead(416, { 'content-range': 'bytes */0' }).end())
    expect((await httpSource(url)).size).toBe(0)
  })

  test.each<[string, string, Handler]>([
    [
      'another range',
      'NETWORK',
      (_, response) => void response.writeHead(206, { 'content-range': 'bytes 0-4/1000' }).end('12345'),
    ],
    [
      'an earlier start',
      'NETWORK',
      (_, response) => void response.writeHead(206, { 'content-range': 'bytes 9-14/1000' }).end('12345'),
    ],
    ['no Content-Range', 'NETWORK', (_, response) => void response.writeHead(206).end('12345')],
    ['the whole file', 'NETWORK', (_, response) => void response.writeHead(200).end(content)],
    [
      'too few bytes',
      'NETWORK',
      (_, response) => void response.writeHead(206, { 'content-range': 'bytes 10-14/1000' }).end('123'),
    ],
    [
      'too many bytes',
      'NETWORK',
      (_, response) => void response.writeHead(206, { 'content-range': 'bytes 10-14/1000' }).end('123456'),
    ],
    [
      'another size',
      'INVALID_FILE',
      (_, response) => void response.writeHead(206, { 'content-range': 'bytes 10-14/999' }).end('12345'),
    ],
    ['another ETag', 'INVALID_FILE', (request, response) => ranged(request, response, { etag: '"2"' })],
    ['404', 'NOT_FOUND', (_, response) => void response.writeHead(404).end()],
    ['403', 'NETWORK', (_, response) => void response.writeHead(403).end()],
    ['503', 'NETWORK', (_, response) => void response.writeHead(503).end()],
    ['nothing', 'NETWORK', () => {}],
    ['a closed connection', 'NETWORK', (request) => void request.socket.destroy()],
    [
      'a part, then nothing',
      'NETWORK',
      (_, response) =>
        void response.writeHead(206, { 'content-range': 'bytes 10-14/1000', 'content-length': 5 }).write('12'),
    ],
  ])('that later gives %s makes the read fail (%s)', async (_, code, handler) => {
    const url = await serve((request, response, count) =>
      count === 1 ? ranged(request, response) : handler(request, response, count),
    )
    const source = await httpSource(url, quick)
    await expect(source.read(10, 5)).rejects.toMatchObject({
      code,
      message: expect.stringContaining('model.safetensors'),
    })
  })

  test.each<[string, Handler]>([
    ['503', (_, response) => void response.writeHead(503).end()],
    [
      'a connection that dies midway',
      (request, response) => {
        response.writeHead(206, { 'content-range': 'bytes 10-14/1000', 'content-length': 5 }).write('12')
        setTimeout(() => request.socket.destroy(), 20)
      },
    ],
  ])('%s is asked again', async (_, handler) => {
    const url = await serve((request, response, count) =>
      count === 2 ? handler(request, response, count) : ranged(request, response),
    )
    const source = await httpSource(url, { retries: 1 })
    expect(await source.read(10, 5)).toEqual(content.slice(10, 15))
  })

  test('stops by either signal, with its reason', async () => {
    const url = await serve((request, response, count) => {
      if (count === 1) ranged(request, response)
    })
    const source = await httpSource(url)
    const stop = new AbortController()
    const reason = new Error('enough')
    setTimeout(() => stop.abort(reason), 30)
    await expect(source.read(0, 5, { signal: stop.signal })).rejects.toBe(reason)
    await expect(httpSource(url, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})

describe('a server without range requests', () => {
  test('is used when the file is small', async () => {
    const url = await serve((_, response) => void response.writeHead(200).end(content))
    const source = await httpSource(url)
    expect(source.size).toBe(1000)
    expect(await source.read(10, 5)).toEqual(content.slice(10, 15))
  })

  test('is refused when the file is large by its Content-Length', async () => {
    const url = await serve((_, response) => void response.writeHead(200, { 'content-length': 2 ** 31 }).write('x'))
    await expect(httpSource(url, quick)).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  })

  test('is refused when it sends more than is small without saying so', async () => {
    const url = await serve((_, response) => {
      const chunk = new Uint8Array(2 ** 20)
      response.writeHead(200)
      const more = () => {
        while (!response.destroyed && response.write(chunk));
      }
      response.on('drain', more)
      more()
    })
    await expect(httpSource(url, { retries: 0 })).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  })
})

describe('what is not there', () => {
  test('404 is NOT_FOUND', async () => {
    const url = await serve((_, response) => void response.writeHead(404).end())
    await expect(httpSource(url)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('a closed port is NETWORK, with the reason', async () => {
    const failing = httpSource('http://127.0.0.1:1/x', quick)
    await expect(failing).rejects.toMatchObject({ code: 'NETWORK', message: expect.stringMatching(/^http:.*: .+/) })
  })

  test('what is no URL is INVALID_ARGUMENT', async () => {
    await expect(httpSource('model.safetensors')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })
})
