import { describe, expect, it } from 'vitest'
import { scriptedModel } from './fixtures/scripted-model.ts'
import { post, serve } from './fixtures/serve.ts'
import { createLogger } from './log.ts'

const chat = { model: 'tiny', messages: [{ role: 'user', content: 'my secret' }] }

const start = async (logPrompts: boolean) => {
  let text = ''
  const log = createLogger('debug', {
    write: (line: string) => {
      text += line
    },
  })
  const { model } = scriptedModel({ answer: 'your answer' })
  const server = await serve({ models: { tiny: model }, log, logPrompts })
  return {
    server,
    entries: () =>
      text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  }
}

describe('the log', () => {
  it('has one entry for each request, and neither prompts nor answers', async () => {
    const { server, entries } = await start(false)
    await post(server, '/v1/chat/completions', chat)
    await post(server, '/v1/completions', { model: 'tiny', prompt: 'my secret' })
    await post(server, '/v1/chat/completions', { ...chat, temperature: 'my secret' })
    await post(server, '/v1/my-secret', {})
    const log = entries()
    expect(log).toHaveLength(4)
    expect(log[0]).toMatchObject({ level: 'info', route: '/v1/chat/completions', status: 200, model: 'tiny' })
    expect(log[0]).toMatchObject({ newTokens: 12, promptTokens: expect.any(Number), time: expect.stringMatching(/Z$/) })
    expect(log.map(({ status }) => status)).toEqual([200, 200, 400, 404])
    expect(JSON.stringify(log)).not.toMatch(/secret|answer/)
  })

  it.each([false, true])('has what is asked and answered where that is wanted, streamed: %s', async (stream) => {
    const { server, entries } = await start(true)
    const body = JSON.stringify({ ...chat, n: 2, stream })
    const headers = { 'content-type': 'application/json' }
    await (await fetch(`${server.url}/v1/chat/completions`, { method: 'POST', headers, body })).text()
    await expect.poll(() => entries().length).toBe(1)
    expect(entries()[0]).toMatchObject({ request: chat, answers: ['your answer', 'your answer'] })
  })

  it('has what was asked in a request that is refused later', async () => {
    const { server, entries } = await start(true)
    await post(server, '/v1/chat/completions', { ...chat, model: 'none' })
    expect(entries()[0]).toMatchObject({ status: 404, request: { messages: chat.messages }, answers: [] })
  })
})
