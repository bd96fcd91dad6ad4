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

  describe('of a large file', () => {
    const size = 33 * 2 ** 20
    const large = Uint8Array.from({ length: size }, (_, i) => (i * 31) >> 3)
    let asked: number
    const serveLarge = async (end = size): Promise<string> => {
      asked = 0
      return serve((_, response) => {
        asked += 1
        response.writeHead(200, { 'content-length': size, 'last-modified': 'then' })
        response.write(large.subarray(0, end), () => (end === size ? response.end() : response.destroy()))
      })
    }

    test('is read in order from one answer', async () => {
      const source = await httpSource(await serveLarge())
      expect([source.size, source.version, source.wholeOnly]).toEqual([size, 'then', true])
      const parts = [
        [0, 8],
        [8, 2 ** 20],
        [20 * 2 ** 20, 100],
        [size - 5, 5],
      ] as const
      const read = await Promise.all(parts.map(([offset, length]) => source.read(offset, length)))
      expect(read).toEqual(parts.map(([offset, length]) => large.slice(offset, offset + length)))
      expect(asked).toBe(2)
      expect(await source.read(3, 4)).toEqual(large.slice(3, 7))
      expect(asked).toBe(3)
      await source.close!()
    })

    test('is fetched once as a Blob, from which it is read then', async () => {
      const source = await httpSource(await serveLarge())
      const told: number[] = []
      await source.download!({ onProgress: (loaded) => told.push(loaded) })
      expect([told[0], told.at(-1), source.wholeOnly, asked]).toEqual([0, size, false, 2])
      expect(await source.read(size - 9, 3)).toEqual(large.slice(size - 9, size - 6))
      expect(new Uint8Array(await (await source.blob!(7, 5)).arrayBuffer())).toEqual(large.slice(7, 12))
      expect(asked).toBe(2)
    })

    test('is an error where it is cut off, and where its reader stops', async () => {
      const source = await httpSource(await serveLarge(2 ** 20), quick)
      await expect(source.read(2 ** 21, 5)).rejects.toMatchObject({ code: 'NETWORK' })
      await expect(source.download!()).rejects.toMatchObject({ code: 'NETWORK' })
      const stop = new AbortController()
      const reading = source.read(2 ** 21, 5, { signal: stop.signal })
      const reason = new Error('enough')
      stop.abort(reason)
      await expect(reading).rejects.toBe(reason)
    })
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
