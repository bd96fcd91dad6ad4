/** Images by the server's API: what the client of OpenAI sends is what `generate` writes of the same files. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateSync } from 'node:zlib'
import { parameterCount } from '@awq/models'
import { createEngine } from '@awq/ort'
import { createAwq } from '@awq/runtime/ai-sdk'
import { loadModel } from '@awq/runtime/node'
import { createServer, type HandlerOptions } from '@awq/runtime/server'
import { generateText } from 'ai'
import OpenAI from 'openai'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { seeingCheckpoints } from './vision-golden.ts'
import { withProcessor } from './vision-processors.ts'

const engine = await createEngine({ threads: 1 })
const scratch = mkdtempSync(join(tmpdir(), 'awq-vision-serve-'))
afterAll(async () => {
  await engine.dispose()
  rmSync(scratch, { recursive: true, force: true })
})

const picture = (name: string): string => join(import.meta.dirname, '../../packages/image/src/fixtures/images', name)
const [first, second] = [picture('rgb.png'), picture('rgb.jpg')]
const dataUrl = (bytes: Uint8Array, type = 'png'): string =>
  `data:image/${type};base64,${Buffer.from(bytes).toString('base64')}`
const urls = [dataUrl(readFileSync(first)), dataUrl(readFileSync(second), 'jpeg')]
const text = { type: 'text' as const, text: 'what is it' }
const imageOf = (url: string) => ({ type: 'image_url' as const, image_url: { url } })
const asking = (...shown: string[]) => [{ role: 'user' as const, content: [...shown.map(imageOf), text] }]

/** A server of one model that sees, and what it is asked by. */
const start = async (name: string, options: Partial<HandlerOptions> = {}) => {
  const checkpoint = seeingCheckpoints.find((one) => one.name === name)!
  const model = await loadModel(withProcessor(checkpoint, scratch), { engine, batch: { maxBatch: 4 } })
  const server = await createServer({ port: 0, models: { seeing: model }, ...options })
  onTestFinished(async () => {
    await server.close({ drainSeconds: 0 })
    await model.dispose()
  })
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 })
  const ask = (messages: OpenAI.ChatCompletionMessageParam[], more: object = {}) =>
    client.chat.completions.create({ model: 'seeing', messages, temperature: 0, max_tokens: 6, ...more })
  return { model, server, client, ask }
}

/** The error that a request ends with. */
const refusal = async (
  answer: Promise<unknown>,
): Promise<{ status: number; param: string; code: string; message: string }> => {
  const error = await answer.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(OpenAI.APIError)
  return error as never
}

test.each(['smolvlm', 'llava', 'qwen2-vl', 'gemma3-vision', 'paligemma'])(
  '%s: one image and two, by all ways to ask, are what generate makes of the files',
  async (name) => {
    const { model, client, ask } = await start(name)
    for (const [shown, files] of [
      [urls, [first, second]],
      [urls.slice(0, 1), [first]],
    ] as const) {
      const content = [...files.map((path) => ({ type: 'image', path })), text]
      const expected = await model.generate({ messages: [{ role: 'user', content }] }, { maxNewTokens: 6 }).result
      const answer = await ask(asking(...shown))
      expect(answer.choices[0]?.message.content).toBe(expected.text)
      expect(answer.usage?.prompt_tokens).toBe(expected.promptTokens)
      const input = [
        {
          role: 'user' as const,
          content: [
            ...shown.map((url) => ({ type: 'input_image' as const, image_url: url, detail: 'auto' as const })),
            { type: 'input_text' as const, text: text.text },
          ],
        },
      ]
      const response = await client.responses.create({ model: 'seeing', input, temperature: 0, max_output_tokens: 6 })
      expect(response.output_text).toBe(expected.text)
      expect(response.usage?.input_tokens).toBe(expected.promptTokens)
    }
    const parameters = parameterCount(model.description, { vision: true })
    expect(await client.models.retrieve('seeing')).toMatchObject({ images: true, awq: { parameters } })
  },
)

test('several ask about images at once, and text alone goes on as before', async () => {
  const { ask } = await start('qwen2-vl')
  const questions = [asking(urls[0]!), asking(urls[1]!), asking(...urls), [{ role: 'user' as const, content: 'hello' }]]
  const alone: (string | null | undefined)[] = []
  for (const question of questions) alone.push((await ask(question)).choices[0]?.message.content)
  const together = await Promise.all([...questions, ...questions].map((question) => ask(question)))
  expect(together.map(({ choices }) => choices[0]?.message.content)).toEqual([...alone, ...alone])
})

test('the AI SDK sends images', async () => {
  const { ask, server } = await start('smolvlm')
  const provider = createAwq({ baseURL: `${server.url}/v1` })
  const { text: written, usage } = await generateText({
    model: provider('seeing'),
    messages: [{ role: 'user', content: [{ type: 'file', data: readFileSync(first), mediaType: 'image/png' }, text] }],
    temperature: 0,
    maxOutputTokens: 6,
    maxRetries: 0,
  })
  const answer = await ask(asking(urls[0]!))
  expect(written).toBe(answer.choices[0]?.message.content)
  expect(usage.inputTokens).toBe(answer.usage?.prompt_tokens)
})

/** A PNG of one grey level that says it has so many pixels. */
const flatPng = (width: number, height: number): Buffer => {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
    const crc = Buffer.alloc(4)
    crc.writeUInt32BE(crcOf(body))
    const length = Buffer.alloc(4)
    length.writeUInt32BE(data.length)
    return Buffer.concat([length, body, crc])
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 0, 0, 0, 0], 8)
  const rows = deflateSync(Buffer.alloc(Math.min(height, 2000) * (width + 1)))
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', rows), chunk('IEND', Buffer.alloc(0))])
}
const crcOf = (bytes: Uint8Array): number => {
  let crc = ~0
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ~crc >>> 0
}

describe('what is no image for this server is refused with advice', () => {
  const secret = join(scratch, 'secret.txt')
  writeFileSync(secret, 'not for you')
  const half = readFileSync(second).subarray(0, 300)
  test.each<[string, string, RegExp, string]>([
    ['a path', first, /fetches no images: send it as a data URL/, 'invalid_image_url'],
    ['a file URL', `file://${secret}`, /fetches no images/, 'invalid_image_url'],
    ['a remote URL', 'http://127.0.0.1:1/x.png', /--allow-image-host/, 'invalid_image_url'],
    ['nothing', '', /fetches no images/, 'invalid_image_url'],
    ['a text', dataUrl(Buffer.from('just words')), /not an image.*PNG, JPEG/, 'image_parse_error'],
    ['half an image', dataUrl(half), /truncated|ends before/, 'image_parse_error'],
    ['damaged base64', 'data:image/png;base64,@@@@', /base64.*damaged/, 'image_parse_error'],
    ['text in a data URL', 'data:text/plain,hello', /must be base64/, 'image_parse_error'],
    ['a bomb', dataUrl(flatPng(60_000, 60_000)), /60000 x 60000 pixels.*Make it smaller/, 'image_too_large'],
    ['rows that are missing', dataUrl(flatPng(2000, 4000)), /image/, 'image_parse_error'],
    ['a stripe', dataUrl(flatPng(4000, 10)), /times as long as wide.*crop it/, 'invalid_value'],
  ])('%s', async (_, url, message, code) => {
    const { ask } = await start('qwen2-vl')
    const error = await refusal(ask(asking(url)))
    expect(error).toMatchObject({ status: 400, code, message: expect.stringMatching(message) })
    expect(error.param).toMatch(/^messages(\[0\]\.content\[0\]\.image_url\.url)?$/)
    expect(error.message).not.toMatch(/awq-vision-serve|not for you/)
  })

  test('parts that name files as transformers does, and images of others than users', async () => {
    const { ask } = await start('smolvlm')
    const parts = [
      { type: 'image', path: first },
      { type: 'image', image: first },
    ] as never[]
    for (const part of parts)
      expect(await refusal(ask([{ role: 'user', content: [part, text] }]))).toMatchObject({ status: 400 })
    const system = { role: 'system', content: [imageOf(urls[0]!)] } as never
    expect((await refusal(ask([system]))).message).toMatch(/role 'user' alone/)
  })

  test('more images than are taken, more pixels than are taken together, more than the context', async () => {
    const { ask, model } = await start('smolvlm', { limits: { images: 4, imagePixels: 50_000 } })
    expect(await refusal(ask(asking(...Array(5).fill(urls[0]))))).toMatchObject({ code: 'too_many_images' })
    const large = dataUrl(flatPng(150, 200))
    expect(await refusal(ask(asking(large, large)))).toMatchObject({ code: 'image_too_large' })
    const words = 'what '.repeat(model.contextLength)
    const long = [{ role: 'user' as const, content: [imageOf(urls[0]!), { type: 'text' as const, text: words }] }]
    expect(await refusal(ask(long))).toMatchObject({ code: 'context_length_exceeded' })
  })

  test('a model that does not see', async () => {
    const model = await loadModel(join(import.meta.dirname, '../../examples/models/stories260k'), { engine })
    const server = await createServer({ port: 0, models: { blind: model } })
    onTestFinished(async () => {
      await server.close({ drainSeconds: 0 })
      await model.dispose()
    })
    const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 })
    const error = await refusal(client.chat.completions.create({ model: 'blind', messages: asking(urls[0]!) }))
    expect(error).toMatchObject({ status: 400, code: 'unsupported_value' })
    expect(error.message).toMatch(/'blind' reads no images/)
  })
})

test('images of allowed hosts are fetched, and nothing else', async () => {
  const routes: Record<string, (answer: import('node:http').ServerResponse) => void> = {
    '/a.png': (answer) => answer.writeHead(200, { 'content-type': 'image/png' }).end(readFileSync(first)),
    '/to-a': (answer) => answer.writeHead(302, { location: '/a.png' }).end(),
    '/away': (answer) => answer.writeHead(302, { location: 'http://127.0.0.2:9/a.png' }).end(),
    '/file': (answer) => answer.writeHead(302, { location: `file://${first}` }).end(),
    '/round': (answer) => answer.writeHead(302, { location: '/round' }).end(),
    '/html': (answer) => answer.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
    '/text': (answer) => answer.writeHead(200, { 'content-type': 'image/png' }).end('secret text'),
    '/large': (answer) => answer.writeHead(200, { 'content-type': 'image/png' }).end(Buffer.alloc(200_000)),
    '/endless': (answer) => {
      answer.writeHead(200, { 'content-type': 'image/png' })
      answer.write(readFileSync(first).subarray(0, 20))
    },
  }
  const host = createHttpServer((request, answer) => {
    const route = routes[request.url ?? '']
    if (route) route(answer)
    else answer.writeHead(404).end()
  })
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void host.close().closeAllConnections())
  const at = `127.0.0.1:${(host.address() as AddressInfo).port}`
  const { ask } = await start('smolvlm', {
    imageHosts: [at, 'private.test'],
    limits: { bodyBytes: 100_000, imageSeconds: 0.5 },
  })
  const expected = (await ask(asking(urls[0]!))).choices[0]?.message.content
  for (const path of ['/a.png', '/to-a'])
    expect((await ask(asking(`http://${at}${path}`))).choices[0]?.message.content).toBe(expected)
  for (const [url, why] of [
    [`http://${at}/away`, /127\.0\.0\.2:9 is not among the hosts/],
    [`http://${at}/file`, /neither a data URL nor/],
    [`http://${at}/round`, /more than 3 times/],
    [`http://${at}/none`, /answers with 404/],
    [`http://${at}/html`, /no image/],
    [`http://${at}/text`, /what its host sends is not an image/],
    [`http://${at}/large`, /larger than/],
    [`http://${at}/endless`, /longer than 0\.5 seconds/],
    [`http://user:key@${at}/a.png`, /a name or a password/],
    ['http://127.0.0.1:1/a.png', /not among the hosts/],
    ['http://private.test/a.png', /cannot be reached/],
    [first, /neither a data URL nor/],
  ] as const)
    expect((await refusal(ask(asking(url)))).message).toMatch(why)
})
