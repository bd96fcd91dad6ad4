import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { scriptedModel } from './fixtures/scripted-model.ts'
import { all, clientOf, post, serve } from './fixtures/serve.ts'

const asked = { model: 'tiny', messages: [{ role: 'user' as const, content: 'Hi' }] }
const slow = () => scriptedModel({ answer: 'x'.repeat(30), beforeStep: () => wait(10) })

describe('a server that is closed', () => {
  it('lets running requests end, refuses new ones, and only then is closed', async () => {
    const { model } = slow()
    const server = await serve({ models: { tiny: model } })
    const client = clientOf(server)
    const stream = await client.chat.completions.create({ ...asked, stream: true })
    const whole = client.chat.completions.create(asked)
    await wait(50)
    const closed = server.close()
    const chunks = await all(stream)
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('x'.repeat(30))
    expect((await whole).choices[0]?.message.content).toBe('x'.repeat(30))
    await closed
    await expect(fetch(`${server.url}/health`)).rejects.toThrow()
  })

  it('ends what takes longer than it may drain, with an error that says so', async () => {
    const { model, running } = scriptedModel({ answer: 'x'.repeat(3000), beforeStep: () => wait(10) })
    const server = await serve({ models: { tiny: model } })
    const client = clientOf(server)
    const stream = await client.chat.completions.create({ ...asked, stream: true })
    const whole = client.chat.completions.create(asked).catch((error: unknown) => error)
    const read = all(stream).catch((error: unknown) => error)
    await wait(50)
    await server.close({ drainSeconds: 0.05 })
    expect(await read).toMatchObject({ error: { code: 'shutting_down' } })
    expect(await whole).toMatchObject({ status: 503, code: 'shutting_down' })
    await expect.poll(running).toBe(0)
  })

  it('can be hurried', async () => {
    const { model } = scriptedModel({ answer: 'x'.repeat(3000), beforeStep: () => wait(10) })
    const server = await serve({ models: { tiny: model } })
    const whole = clientOf(server)
      .chat.completions.create(asked)
      .catch((error: unknown) => error)
    await wait(30)
    const closed = server.close({ drainSeconds: 60 })
    await server.close({ drainSeconds: 0 })
    await closed
    expect(await whole).toMatchObject({ status: 503 })
  })
})

describe('limits', () => {
  it('ends a request that takes too long', async () => {
    const { model, running } = scriptedModel({ answer: 'x'.repeat(3000), beforeStep: () => wait(10) })
    const server = await serve({ models: { tiny: model }, limits: { requestSeconds: 0.1 } })
    const { status, body } = await post(server, '/v1/chat/completions', asked)
    expect([status, body.error?.code]).toEqual([504, 'timeout'])
    const stream = await clientOf(server).chat.completions.create({ ...asked, stream: true })
    expect(await all(stream).catch((error: unknown) => error)).toMatchObject({ error: { code: 'timeout' } })
    await expect.poll(running).toBe(0)
  })

  it('gives no more tokens than the server allows', async () => {
    const server = await serve({ models: { tiny: scriptedModel().model }, limits: { maxTokens: 4 } })
    const { choices } = await clientOf(server).chat.completions.create({ ...asked, max_tokens: 100 })
    expect(choices[0]).toMatchObject({ message: { content: 'Hell' }, finish_reason: 'length' })
  })

  it('answers 429 with Retry-After when the queue is full, or too many requests are there', async () => {
    const load = { active: 2, waiting: 1, maxBatch: 2, maxQueue: 2, cacheTokens: 1, usedTokens: 1, interrupted: 0 }
    const server = await serve({ models: { tiny: scriptedModel({ load }).model }, limits: { maxRequests: 2 } })
    expect((await post(server, '/v1/chat/completions', asked)).status).toBe(200)
    const full = await post(server, '/v1/chat/completions', { ...asked, n: 2 })
    expect([full.status, full.body.error?.code, full.body.error?.type]).toEqual([
      429,
      'rate_limit_exceeded',
      'rate_limit_error',
    ])
    expect(Number(full.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    expect((await post(server, '/v1/chat/completions', { ...asked, n: 5 })).status).toBe(400)
  })
})
