/** A thousand requests that nobody should send: each is answered with a 4xx or its connection is closed. */
import { connect, type Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRandom } from '../random.ts'
import { createServer, type RunningServer } from './create-server.ts'
import { scriptedModel } from './fixtures/scripted-model.ts'

const key = 'the-right-key'
const scripted = scriptedModel({
  answer: 'x'.repeat(2000),
  beforeStep: () => new Promise((resolve) => setImmediate(resolve)),
})
let server: RunningServer

beforeAll(async () => {
  server = await createServer({
    port: 0,
    models: { tiny: scripted.model },
    apiKeys: [key],
    limits: { bodyBytes: 100_000 },
    receiveSeconds: 1,
  })
})
afterAll(() => server.close({ drainSeconds: 0 }))

const authorized = `Host: localhost\r\nAuthorization: Bearer ${key}\r\n`
const random = createRandom(8)
const pick = <T>(list: readonly T[]): T => list[Math.floor(random.next() * list.length)] as T
const bytes = (length: number): Buffer => Buffer.from(Array.from({ length }, () => Math.floor(random.next() * 256)))

/** What came back for some bytes: the status of the first answer, or 'closed'. Resolves when it is known. */
const send = (
  pieces: readonly (string | Uint8Array)[],
  options: { readonly pause?: number; readonly leaveAfter?: number; readonly end?: boolean } = {},
): Promise<number | 'closed'> =>
  new Promise((resolve) => {
    const socket: Socket = connect(server.port, '127.0.0.1')
    let received = ''
    const finish = (): void => {
      socket.destroy()
      resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(received)?.[1]) || 'closed')
    }
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      if (received.length > (options.leaveAfter ?? 0)) finish()
    })
    socket.on('error', () => {})
    socket.on('close', finish)
    socket.on('connect', async () => {
      for (const piece of pieces) {
        if (socket.destroyed) return
        socket.write(piece)
        if (options.pause) await new Promise((done) => setTimeout(done, options.pause))
      }
      if (options.end) socket.end()
    })
  })

const request = (path: string, body: string | Uint8Array, headers = authorized): (string | Uint8Array)[] => [
  `POST ${path} HTTP/1.1\r\n${headers}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`,
  body,
]

const paths = ['/v1/chat/completions', '/v1/completions', '/v1/responses', '/v1/embeddings'] as const
const good = { model: 'tiny', messages: [{ role: 'user', content: 'Hi' }], prompt: 'Hi', input: 'Hi' }

/** Values of every wrong kind. */
const wrong = [null, true, -1, 1e300, 0.5, '', 'x', [], {}, [[]], [null], { a: 1 }, '\u0000', '\ud800'] as const
const fields = ['model', 'messages', 'prompt', 'input', 'tools', 'stop', 'logit_bias', 'response_format', 'n'] as const

const kinds: Readonly<Record<string, () => Promise<number | 'closed'>>> = {
  'a huge body that is announced': () =>
    send([
      `POST ${pick(paths)} HTTP/1.1\r\n${authorized}Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n`,
    ]),
  'a huge body in chunks': () =>
    send([
      `POST ${pick(paths)} HTTP/1.1\r\n${authorized}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
      ...Array.from({ length: 8 }, () => `8000\r\n${'['.repeat(0x8000)}\r\n`),
    ]),
  'JSON that is none': () =>
    send(request(pick(paths), pick(['{', '{"model":', '[1,', 'nul', '{"a":1,}', "{'a':1}", '\u0000']))),
  'deep nesting': () => send(request(pick(paths), `{"model":${'['.repeat(40_000)}`)),
  'wrong types': () => {
    const field = pick(['model', 'messages', 'prompt', 'input'] as const)
    return send(
      request(
        '/v1/chat/completions',
        JSON.stringify({ ...good, messages: pick([null, 5, 'x', {}, [5], [{}]]), [field]: 7 }),
      ),
    )
  },
  'wrong values': () => {
    const bad = { model: 'none', [pick(fields)]: pick(wrong), [pick(fields)]: pick(wrong) }
    return send(request(pick(paths), JSON.stringify({ ...good, ...bad, model: pick(['none', '../tiny', '', 5]) })))
  },
  'invalid UTF-8': () =>
    send(
      request(
        pick(paths),
        Buffer.concat([Buffer.from('{"model":"'), Buffer.from([0xc3, 0x28, 0xff]), Buffer.from('"}')]),
      ),
    ),
  'random bytes as a body': () => send(request(pick(paths), bytes(200))),
  'random bytes as a request': () => send([bytes(300)], { end: true }),
  'tricks with paths': () =>
    send([
      `${pick(['GET', 'POST', 'PUT'])} ${pick(['/../../etc/passwd', '/%2e%2e/%2e%2e/etc/passwd', '//etc/passwd', '/v1/models/..%2f..%2fetc', '/v1/%00', '/..;/x', '/v1/models/%ff', 'http://evil/x', '*', '/\\..\\x'])} HTTP/1.1\r\n${authorized}Content-Length: 0\r\n\r\n`,
    ]),
  'guesses of keys': () =>
    send(
      request(
        pick(paths),
        JSON.stringify(good),
        `Host: x\r\nAuthorization: ${pick(['Bearer', 'Basic', ''])} ${bytes(12).toString('hex')}\r\n`,
      ),
    ),
  'no key': () => send(request(pick(paths), JSON.stringify(good), 'Host: x\r\n')),
  'a body that never ends': () => send([...request(pick(paths), '{'.padEnd(50)).slice(0, 1), '{"mod'], {}),
  'headers that come slowly': () =>
    send(['POST /v1/ch', 'at/completions HTTP/1.1\r\nHo', 'st: x\r\nX-'], { pause: 200 }),
  'huge headers': () => send([`GET /v1/models HTTP/1.1\r\n${authorized}X-Long: ${'x'.repeat(40_000)}\r\n\r\n`]),
  'two lengths': () =>
    send([
      `POST ${pick(paths)} HTTP/1.1\r\n${authorized}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ]),
  'chunks that are none': () =>
    send([
      `POST ${pick(paths)} HTTP/1.1\r\n${authorized}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
    ]),
  'an upgrade': () => send([`GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`]),
  'a body that is cut off': () =>
    send([...request(pick(paths), '{"model": "tiny"').slice(0, 1), '{"mo'], { end: true }),
  'other media types': () =>
    send([
      `POST ${pick(paths)} HTTP/1.1\r\n${authorized}Content-Type: ${pick(['text/plain', 'multipart/form-data', 'x'])}\r\nContent-Length: 2\r\n\r\n{}`,
    ]),
}

/** Streams that are left; the status of these is 200, what counts is that the model is free again. */
const leaveStream = () =>
  send(request('/v1/chat/completions', JSON.stringify({ ...good, stream: true, max_tokens: 2000 })), {
    leaveAfter: 300 + Math.floor(random.next() * 3000),
  })

describe('1000 hostile requests', () => {
  it('are each answered with a 4xx or closed, and leave a server that works and its memory as it was', async () => {
    const names = Object.keys(kinds)
    const odd: string[] = []
    const attack = async (count: number): Promise<void> => {
      for (let done = 0; done < count; done += 200) {
        await Promise.all(
          Array.from({ length: 200 }, async (_, index) => {
            if (index % 10 === 9) {
              await leaveStream()
              return
            }
            const name = names[(done + index) % names.length] as string
            const status = await kinds[name]!()
            if (status !== 'closed' && (status < 400 || status >= 500) && status !== 501) odd.push(`${name}: ${status}`)
          }),
        )
      }
    }
    const readings: number[] = []
    for (const count of [200, 600, 400]) {
      await attack(count)
      expect([...new Set(odd)]).toEqual([])
      await expect.poll(scripted.running).toBe(0)
      readings.push(memory())
    }
    // What leaks grows each time; what is freed late does not.
    const [warm, middle, last] = readings as [number, number, number]
    expect(Math.min(middle - warm, last - middle)).toBeLessThan(15e6)
    const answer = await fetch(`${server.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ ...good, max_tokens: 3 }),
    })
    expect([answer.status, (await answer.json()).choices[0].message.content]).toEqual([200, 'xxx'])
  }, 120_000)
})

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const memory = (): number => {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
