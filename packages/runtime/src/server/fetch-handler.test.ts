import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { toFetchHandler } from './fetch-handler.ts'
import { scriptedModel } from './fixtures/scripted-model.ts'
import type { HandlerOptions } from './settings.ts'

const url = 'https://models.example/v1/chat/completions'
const asked = { model: 'tiny', messages: [{ role: 'user', content: 'Hi' }] }
const request = (body: object, more: RequestInit = {}) =>
  new Request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    ...more,
  })
const start = (options: Partial<HandlerOptions> = {}) => {
  const scripted = scriptedModel({ answer: 'x'.repeat(2000), beforeStep: () => wait(1) })
  return { ...scripted, handler: toFetchHandler({ models: { tiny: scripted.model }, ...options }) }
}

/** The first texts of a stream of events. */
const readSome = async (response: Response, events: number) => {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  while (text.split('\n\n').length <= events) text += (await reader.read()).value ?? ''
  return { text, reader }
}

describe('toFetchHandler, without a server', () => {
  it('answers Web-standard requests, of any host', async () => {
    const { handler } = start()
    const response = await handler(request({ ...asked, max_tokens: 3 }))
    expect(response.headers.get('content-type')).toMatch(/^application\/json/)
    expect(response.headers.get('x-request-id')).toMatch(/^req_/)
    expect((await response.json()).choices[0].message.content).toBe('xxx')
    expect((await handler(new Request('https://models.example/health'))).status).toBe(200)
    expect((await handler(new Request('https://models.example/nothing'))).status).toBe(404)
  })

  it('has the keys, the hosts and the limits of a server', async () => {
    const { handler } = start({ apiKeys: ['key'], hosts: ['models.example'], limits: { bodyBytes: 200 } })
    expect((await handler(request(asked))).status).toBe(401)
    const headers = { authorization: 'Bearer key', 'content-type': 'application/json', host: 'models.example' }
    expect((await handler(request({ ...asked, max_tokens: 1 }, { headers }))).status).toBe(200)
    expect((await handler(request(asked, { headers: { ...headers, host: 'evil.example' } }))).status).toBe(403)
    expect((await handler(request({ ...asked, user: 'x'.repeat(300) }, { headers }))).status).toBe(413)
  })

  it('streams, and stops when the reader cancels', async () => {
    const { handler, running } = start()
    const response = await handler(request({ ...asked, stream: true }))
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/)
    const { text, reader } = await readSome(response, 3)
    expect(text).toMatch(/^data: \{/)
    expect(running()).toBe(1)
    await reader.cancel()
    await expect.poll(running).toBe(0)
  })

  it('stops when the request is aborted, while it streams and while it writes a whole answer', async () => {
    const { handler, running } = start()
    for (const stream of [true, false]) {
      const controller = new AbortController()
      const answered = handler(request({ ...asked, stream }, { signal: controller.signal }))
      await expect.poll(running).toBe(1)
      controller.abort()
      await expect.poll(running).toBe(0)
      const response = await answered
      if (!stream) expect(response.status).toBe(499)
      await response.body?.cancel().catch(() => {})
    }
  })

  it('does not go on writing for a reader that takes nothing, and leaves it at last', async () => {
    let steps = 0
    const { model, running } = scriptedModel({
      answer: 'x'.repeat(100_000),
      contextLength: 200_000,
      beforeStep: () => {
        steps++
      },
    })
    const handler = toFetchHandler({ models: { tiny: model }, limits: { stallSeconds: 0.5 } })
    const response = await handler(request({ ...asked, stream: true, logprobs: true, top_logprobs: 20 }))
    await expect.poll(running).toBe(1)
    await wait(250)
    const before = steps
    await wait(100)
    expect(steps).toBe(before)
    // 64 KiB and the event that did not fit.
    expect(steps).toBeLessThan(200)
    await expect.poll(running, { timeout: 2000 }).toBe(0)
    await response.body?.cancel().catch(() => {})
  })
})
