import { describe, expect, it } from 'vitest'
import { scriptedModel } from './fixtures/scripted-model.ts'
import { clientOf, post, serve } from './fixtures/serve.ts'

const start = (options: object = {}) => serve({ models: { tiny: scriptedModel().model }, ...options })
const chat = (changes: object = {}) => ({ model: 'tiny', messages: [{ role: 'user', content: 'Hi' }], ...changes })

describe('what is wrong with a request', () => {
  it.each<[string, unknown, string | null, string]>([
    ['no JSON', '{', null, 'invalid_json'],
    ['nothing', '', null, 'invalid_json'],
    ['a list', '[]', null, 'invalid_type'],
    ['nesting without end', `${'['.repeat(1e5)}`, null, 'invalid_json'],
    ['no model', chat({ model: undefined }), 'model', 'missing_required_parameter'],
    ['null for the model', chat({ model: null }), 'model', 'invalid_type'],
    ['no messages', chat({ messages: undefined }), 'messages', 'missing_required_parameter'],
    ['an empty list of messages', chat({ messages: [] }), 'messages', 'array_below_minimum_length'],
    ['text for the messages', chat({ messages: 'Hi' }), 'messages', 'invalid_type'],
    ['a role that is none', chat({ messages: [{ role: 'king', content: '' }] }), 'messages[0].role', 'invalid_value'],
    ['no role', chat({ messages: [{ content: '' }] }), 'messages[0].role', 'missing_required_parameter'],
    ['no content', chat({ messages: [{ role: 'user' }] }), 'messages[0].content', 'missing_required_parameter'],
    ['a number as content', chat({ messages: [{ role: 'user', content: 5 }] }), 'messages[0].content', 'invalid_type'],
    [
      'an answer without content',
      chat({ messages: [{ role: 'assistant', content: null }] }),
      'messages[0].content',
      'missing_required_parameter',
    ],
    [
      'an image',
      chat({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:' } }] }] }),
      'messages[0].content[0].image_url.url',
      'unsupported_value',
    ],
    ['heat', chat({ temperature: 2.5 }), 'temperature', 'decimal_above_maximum_value'],
    ['cold', chat({ temperature: -1 }), 'temperature', 'integer_below_minimum_value'],
    ['words for a number', chat({ temperature: 'hot' }), 'temperature', 'invalid_type'],
    ['a fraction of a token', chat({ max_tokens: 1.5 }), 'max_tokens', 'invalid_type'],
    ['no tokens', chat({ max_completion_tokens: 0 }), 'max_completion_tokens', 'integer_below_minimum_value'],
    ['5 stop strings', chat({ stop: ['a', 'b', 'c', 'd', 'e'] }), 'stop', 'array_above_maximum_length'],
    ['an empty stop string', chat({ stop: '' }), 'stop', 'string_below_minimum_length'],
    ['a number to stop at', chat({ stop: 5 }), 'stop', 'invalid_type'],
    ['too many answers', chat({ n: 129 }), 'n', 'integer_above_maximum_value'],
    ['words for a switch', chat({ stream: 'yes' }), 'stream', 'invalid_type'],
    ['options of a stream alone', chat({ stream_options: {} }), 'stream_options', 'invalid_value'],
    ['alternatives alone', chat({ top_logprobs: 3 }), 'top_logprobs', 'invalid_value'],
    [
      'too many alternatives',
      chat({ logprobs: true, top_logprobs: 21 }),
      'top_logprobs',
      'integer_above_maximum_value',
    ],
    ['a bias of a word', chat({ logit_bias: { Hi: 1 } }), 'logit_bias.Hi', 'invalid_value'],
    ['a bias without bounds', chat({ logit_bias: { 5: 101 } }), 'logit_bias.5', 'integer_above_maximum_value'],
    ['a bias of no token', chat({ logit_bias: { 5000: 1 } }), 'logit_bias', 'invalid_value'],
    ['a seed that is no integer', chat({ seed: 0.5 }), 'seed', 'invalid_value'],
    ['sound', chat({ modalities: ['audio'] }), 'modalities[0]', 'invalid_value'],
    [
      'a function without a name',
      chat({ tools: [{ type: 'function' }] }),
      'tools[0].function',
      'missing_required_parameter',
    ],
    ['a format that is none', chat({ response_format: { type: 'xml' } }), 'response_format.type', 'invalid_value'],
  ])('%s', async (_, request, param, code) => {
    const { status, body } = await post(await start(), '/v1/chat/completions', request)
    expect(body.error).toMatchObject({ type: 'invalid_request_error', param, code })
    expect(status).toBe(400)
    expect(body.error?.message).toMatch(/^[A-Z].*\.$/s)
  })

  it.each<[string, string, string, number]>([
    ['GET', '/v1/nothing', 'unknown_url', 404],
    ['POST', '/', 'method_not_supported', 405],
    ['GET', '/../../etc/passwd', 'unknown_url', 404],
    ['GET', '/v1/models/..%2f..%2fetc%2fpasswd', 'model_not_found', 404],
    ['GET', '/v1/chat/completions', 'method_not_supported', 405],
    ['DELETE', '/v1/models', 'method_not_supported', 405],
  ])('%s %s', async (method, path, code, status) => {
    const { url } = await start()
    const response = await fetch(url + path, { method })
    expect([response.status, (await response.json()).error.code]).toEqual([status, code])
    if (status === 405) expect(response.headers.get('allow')).toMatch(/POST|GET/)
  })

  it('names a model that there is not, by all routes that take one', async () => {
    const server = await start()
    for (const path of ['/v1/chat/completions', '/v1/completions', '/v1/responses', '/v1/embeddings']) {
      const { status, body } = await post(server, path, { ...chat({ model: 'large' }), prompt: 'a', input: 'a' })
      expect([path, status, body.error?.code, body.error?.param]).toEqual([path, 404, 'model_not_found', 'model'])
    }
    await expect(clientOf(server).models.retrieve('a/b')).rejects.toMatchObject({ code: 'model_not_found' })
  })

  it('has no embeddings', async () => {
    const { status, body } = await post(await start(), '/v1/embeddings', { model: 'tiny', input: ['a'] })
    expect([status, body.error?.code]).toEqual([501, 'unsupported_model'])
  })

  it('wants JSON, of a limited size', async () => {
    const server = await start({ limits: { bodyBytes: 1000 } })
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    expect((await post(server, '/v1/chat/completions', 'a=b', form)).status).toBe(415)
    const large = await post(server, '/v1/chat/completions', chat({ user: 'x'.repeat(1000) }))
    expect([large.status, large.body.error?.code]).toEqual([413, 'request_too_large'])
    expect((await post(server, '/v1/chat/completions', chat())).status).toBe(200)
  })
})

describe('who may ask', () => {
  it('asks for a key where there is one, everywhere but for health and the description', async () => {
    const server = await start({ apiKeys: ['first-key', 'second-key'] })
    const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
    const ask = async (headers: Record<string, string>) => {
      const { status, body } = await post(server, '/v1/chat/completions', chat(), headers)
      return [status, body.error?.code]
    }
    expect(await ask({})).toEqual([401, 'missing_api_key'])
    expect(await ask({ authorization: 'Basic first-key' })).toEqual([401, 'missing_api_key'])
    for (const wrong of ['x', 'first-ke', 'first-keyx', 'FIRST-KEY', 'undefined', '*']) {
      expect(await ask(bearer(wrong))).toEqual([401, 'invalid_api_key'])
    }
    expect(await ask(bearer('first-key'))).toEqual([200, undefined])
    expect(await ask({ authorization: 'bearer  second-key' })).toEqual([200, undefined])
    for (const [path, status] of [
      ['/health', 200],
      ['/openapi.json', 200],
      ['/metrics', 401],
      ['/v1/models', 401],
    ] as const) {
      expect([path, (await fetch(server.url + path)).status]).toEqual([path, status])
    }
    expect((await clientOf(server, 'second-key').models.list()).data[0]?.id).toBe('tiny')
  })

  it('lets pages of this machine ask, and of other origins those that are named', async () => {
    const allowed = async (cors: string[] | undefined, origin: string) => {
      const { url } = await start(cors ? { cors } : {})
      const response = await fetch(`${url}/v1/chat/completions`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
      })
      return response.headers.get('access-control-allow-origin')
    }
    expect(await allowed(undefined, 'http://localhost:3000')).toBe('http://localhost:3000')
    expect(await allowed(undefined, 'http://localhost.evil.com')).toBeNull()
    expect(await allowed(undefined, 'https://example.com')).toBeNull()
    expect(await allowed(['https://example.com'], 'https://example.com')).toBe('https://example.com')
    expect(await allowed(['https://example.com'], 'http://localhost:3000')).toBeNull()
    expect(await allowed(['*'], 'https://example.com')).toBe('*')
    expect(await allowed([], 'http://localhost:3000')).toBeNull()
  })

  it('answers on loopback only to names of this machine, unless it asks for a key', async () => {
    const ask = async (options: object, host: string) => {
      const { port } = await start(options)
      const { request } = await import('node:http')
      return await new Promise((resolve) => {
        request({ port, host: '127.0.0.1', path: '/health', headers: { host } }, (response) => {
          response.resume()
          resolve(response.statusCode)
        }).end()
      })
    }
    expect(await ask({}, 'localhost:1234')).toBe(200)
    expect(await ask({}, 'evil.example')).toBe(403)
    expect(await ask({ apiKeys: ['key'] }, 'evil.example')).toBe(200)
    expect(await ask({ hosts: ['model.example'] }, 'model.example:80')).toBe(200)
  })
})
