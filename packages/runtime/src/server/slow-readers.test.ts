import { connect, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { scriptedModel } from './fixtures/scripted-model.ts'
import { post, serve } from './fixtures/serve.ts'

const body = JSON.stringify({
  ...{ model: 'tiny', messages: [{ role: 'user', content: 'Hi' }] },
  ...{ stream: true, logprobs: true, top_logprobs: 20 },
})

/** Asks for a stream and takes the first bytes of it. */
const open = (port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      const headers = `Host: localhost\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}`
      socket.write(`POST /v1/chat/completions HTTP/1.1\r\n${headers}\r\n\r\n${body}`)
    })
    socket.on('error', () => {})
    onTestFinished(() => void socket.destroy())
    socket.once('readable', () => resolve(socket))
    socket.once('close', () => reject(new Error('closed before an answer')))
  })

/** Answers that are longer than what lies between two sockets of a machine. */
const endless = (beforeStep: () => void = () => {}) =>
  scriptedModel({ answer: 'x'.repeat(100_000), contextLength: 200_000, beforeStep })

describe('a client that does not read its stream', () => {
  it('makes the model wait, then loses its place and its connection; others are answered meanwhile', async () => {
    let steps = 0
    const { model, running } = endless(() => {
      steps++
    })
    const server = await serve({ models: { tiny: model }, limits: { stallSeconds: 1 } })
    const sockets = await Promise.all(Array.from({ length: 4 }, () => open(server.port)))
    let closed = 0
    for (const socket of sockets) socket.on('close', () => closed++)
    // Until what the system holds for the sockets is full, some megabytes each.
    let seen = -1
    await expect
      .poll(
        () => {
          const still = steps === seen
          seen = steps
          return still
        },
        { timeout: 20_000, interval: 300 },
      )
      .toBe(true)
    const asked = { model: 'tiny', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 3 }
    expect((await post(server, '/v1/chat/completions', asked)).status).toBe(200)
    await expect.poll(running, { timeout: 10_000 }).toBe(0)
    expect(steps).toBeLessThan(4 * 50_000)
    // What was sent is still there for it; behind that the connection ends.
    for (const socket of sockets) socket.resume()
    await expect.poll(() => closed, { timeout: 10_000 }).toBe(4)
    const metrics = await (await fetch(`${server.url}/metrics`)).text()
    expect(metrics).toMatch(/awq_requests_in_flight(\{\})? 0\n/)
  }, 60_000)

  it('gets everything when it only takes its time', async () => {
    const { model } = scriptedModel({ answer: 'x'.repeat(3000) })
    const server = await serve({ models: { tiny: model }, limits: { stallSeconds: 5 } })
    const socket = await open(server.port)
    let text = ''
    for (let pause = 0; pause < 5; pause++) {
      await wait(50)
      text += socket.read() ?? ''
    }
    socket.on('data', (more) => {
      text += more
    })
    await expect.poll(() => text.includes('data: [DONE]'), { timeout: 10_000 }).toBe(true)
    expect(text.match(/"content":"x"/g)).toHaveLength(3000)
  }, 30_000)
})
