import { describe, expect, test, vi } from 'vitest'
import { createApi, piecesOf } from './api.ts'
import { createChat } from './chat.ts'
import { partThought, readConversations, titleOf, tokensPerSecond } from './conversation.ts'
import { apiFailure, failureOf } from './failure.ts'
import { createMemory } from './memory.ts'
import { byteSize, largeNumber, readModels } from './models.ts'
import { readSettings, readWhole } from './settings.ts'
import { announceUpTo } from './speech.ts'

const storage = (): Storage => {
  const values = new Map<string, string>()
  return {
    get length() {
      return values.size
    },
    clear: () => values.clear(),
    key: (index) => [...values.keys()][index] ?? null,
    getItem: (name) => values.get(name) ?? null,
    setItem: (name, value) => void values.set(name, value),
    removeItem: (name) => void values.delete(name),
  }
}

interface Asked {
  readonly path: string
  readonly body: Record<string, unknown>
  readonly authorization: string | null
}

/** A server that streams what it is told to. */
const fakeServer = (options: { models?: object[]; key?: string } = {}) => {
  const asked: Asked[] = []
  let next: (asked: Asked) => Response | Promise<Response> = () => stream(words('Hello ', 'there.'))
  const models = options.models ?? [{ id: 'small', chat: true, state: 'loaded' }]
  const fetch = (async (input: URL, init: RequestInit) => {
    const authorization = new Headers(init.headers).get('authorization')
    if (options.key && authorization !== `Bearer ${options.key}`) {
      const code = authorization ? 'invalid_api_key' : 'missing_api_key'
      return Response.json({ error: { message: 'no', code } }, { status: 401 })
    }
    if (input.pathname.endsWith('/models')) return Response.json({ data: models })
    const request = { path: input.pathname, body: JSON.parse(String(init.body)), authorization }
    asked.push(request)
    const response = await next(request)
    const { signal } = init
    if (!response.body || !signal) return response
    const body = response.body.pipeThrough(new TransformStream(), { signal })
    return new Response(body, response)
  }) as typeof globalThis.fetch
  return {
    asked,
    models,
    fetch,
    answer(how: typeof next) {
      next = how
    },
  }
}

const event = (value: unknown): string => `data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`
const delta = (content: string) => event({ choices: [{ delta: { content } }] })
const end = (reason = 'stop') => event({ choices: [{ delta: {}, finish_reason: reason }] })
const usage = event({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 7 } })
const words = (...texts: string[]): string[] => [...texts.map(delta), end(), usage, event('[DONE]')]
const stream = (events: string[], close = true): Response =>
  new Response(
    new ReadableStream({
      start(controller) {
        for (const each of events) controller.enqueue(new TextEncoder().encode(each))
        if (close) controller.close()
      },
    }),
  )

const begin = async (server = fakeServer(), stores = { tab: storage(), browser: storage() }) => {
  const memory = createMemory(
    () => stores.tab,
    () => stores.browser,
  )
  const chat = createChat({ api: createApi('http://x/page/', server.fetch), memory, interval: 1 })
  await chat.connect()
  const done = () => vi.waitFor(() => expect(chat.state().writing).toBe(false))
  const ask = async (question: string) => {
    chat.send(question)
    await done()
  }
  const last = () => chat.state().current.turns.at(-1)!
  return { chat, server, stores, done, ask, last }
}

describe('a conversation', () => {
  test('streams an answer, counts it, and sends what was said before', async () => {
    const { chat, server, ask, last } = await begin()
    chat.change({ system: ' Be kind. ', seed: 3, maxTokens: 50, temperature: 0 })
    await ask('Hi')
    expect(last()).toMatchObject({ question: 'Hi', answer: 'Hello there.', end: 'complete', model: 'small' })
    expect(last().figures).toMatchObject({ tokens: 7, counted: true, promptTokens: 9 })
    await ask('And?')
    expect(server.asked[1]).toEqual({
      path: '/page/v1/chat/completions',
      authorization: null,
      body: {
        model: 'small',
        temperature: 0,
        top_p: 0.95,
        max_tokens: 50,
        seed: 3,
        stream: true,
        stream_options: { include_usage: true },
        messages: [
          { role: 'system', content: 'Be kind.' },
          { role: 'user', content: 'Hi' },
          { role: 'assistant', content: 'Hello there.' },
          { role: 'user', content: 'And?' },
        ],
      },
    })
    expect(chat.state().spoken.map(({ text }) => text)).toEqual([
      'Answering.',
      'Hello there.',
      'The answer is complete.',
    ])
  })

  test('nothing, and a question while an answer is being written, are not sent', async () => {
    const { chat, server, done } = await begin()
    expect(chat.send(' \n')).toBe(false)
    expect(chat.send('a')).toBe(true)
    expect(chat.send('b')).toBe(false)
    await done()
    expect(server.asked).toHaveLength(1)
  })

  test('stopping keeps what has come, and the next question may follow', async () => {
    const { chat, server, done, ask, last } = await begin()
    server.answer(() => stream([delta('Once '), delta('upon')], false))
    chat.send('Tell')
    await vi.waitFor(() => expect(last().answer).toBe('Once upon'))
    chat.stop()
    await done()
    expect(last()).toMatchObject({ answer: 'Once upon', end: 'stopped', figures: { tokens: 2, counted: false } })
    server.answer(() => stream(words('a time')))
    await ask('Go on')
    expect(last()).toMatchObject({ answer: 'a time', end: 'complete' })
  })

  test('retry answers the last question again; taking back removes it', async () => {
    const { chat, server, ask, last, done } = await begin()
    await ask('one')
    await ask('two')
    server.answer(() => stream(words('other')))
    chat.retry()
    await done()
    expect(chat.state().current.turns.map(({ answer }) => answer)).toEqual(['Hello there.', 'other'])
    expect(server.asked.at(-1)!.body.messages).toHaveLength(3)
    expect(chat.takeBack()).toBe('two')
    expect(last().question).toBe('one')
    chat.takeBack()
    expect(chat.state().conversations).toEqual([])
  })

  test('a model without a chat template continues the text', async () => {
    const { chat, server, ask } = await begin(fakeServer({ models: [{ id: 'stories', chat: false }] }))
    server.answer(() =>
      stream([
        event({ choices: [{ text: ' upon a time.' }] }),
        event({ choices: [{ text: '', finish_reason: 'length' }] }),
      ]),
    )
    await ask('Once')
    expect(chat.state().current.turns[0]).toMatchObject({ answer: ' upon a time.', end: 'length' })
    await ask('Then')
    expect(server.asked[1]).toMatchObject({
      path: '/page/v1/completions',
      body: { prompt: 'Once upon a time. Then', max_tokens: 256 },
    })
  })

  test('a model that turns out to have no chat template, once it is loaded', async () => {
    const server = fakeServer({ models: [{ id: 'stories', state: 'unloaded' }] })
    const { ask, last } = await begin(server)
    server.answer(({ path }) => {
      server.models[0] = { id: 'stories', state: 'loaded', chat: false }
      return path.includes('chat')
        ? Response.json({ error: { message: 'no chat template', param: 'model' } }, { status: 400 })
        : stream([event({ choices: [{ text: '!', finish_reason: 'stop' }] })])
    })
    await ask('Once')
    expect(last()).toMatchObject({ answer: '!', end: 'complete' })
  })
})

describe('what goes wrong', () => {
  test('a server that asks for a key gets one, and then the question', async () => {
    const { chat, server, done, last } = await begin(fakeServer({ key: 'secret' }))
    expect(chat.state()).toMatchObject({ connection: 'key', failure: { title: 'This server asks for a key.' } })
    await chat.useKey('wrong')
    expect(chat.state()).toMatchObject({ connection: 'key', failure: { title: 'The server does not know this key.' } })
    await chat.useKey('secret')
    expect(chat.state()).toMatchObject({ connection: 'ready', hasKey: true })
    server.answer(() => Response.json({ error: { code: 'invalid_api_key' } }, { status: 401 }))
    chat.send('Hi')
    await done()
    expect(chat.state().connection).toBe('key')
    server.answer(() => stream(words('Welcome')))
    await chat.useKey('secret')
    await done()
    expect(last()).toMatchObject({ answer: 'Welcome', end: 'complete' })
    expect(last().failure).toBeUndefined()
    expect(chat.state().current.turns).toHaveLength(1)
  })

  test.each([
    [
      Response.json({ error: { message: 'x' } }, { status: 429, headers: { 'retry-after': '3' } }),
      'busy',
      'in 3 seconds',
    ],
    [
      Response.json({ error: { message: 'Too long.', code: 'context_length_exceeded' } }, { status: 400 }),
      'length',
      'Too long.',
    ],
    [Response.json({ error: { message: 'Bad top_p.' } }, { status: 400 }), 'refused', 'Bad top_p.'],
    [new Response('<html>', { status: 502 }), 'server', '502'],
    [stream([delta('a'), event({ error: { message: 'It fell over.' } })]), 'server', 'It fell over.'],
    [stream([delta('a')]), 'broken', 'kept'],
  ])('is told in words (%#)', async (response, kind, detail) => {
    const { server, ask, last } = await begin()
    server.answer(() => response)
    await ask('Hi')
    expect(last()).toMatchObject({ end: 'failed', failure: { kind } })
    expect(last().failure!.detail).toContain(detail)
  })

  test('a server that is gone', async () => {
    const { server, ask, last } = await begin()
    server.answer(() => {
      throw new TypeError('fetch failed')
    })
    await ask('Hi')
    expect(last().failure).toMatchObject({ kind: 'unreachable' })
  })

  test('errors of any shape have words', () => {
    for (const body of [undefined, null, 3, 'x', {}, { error: null }, { error: 'x' }, { error: { message: 7 } }]) {
      expect(failureOf(apiFailure(418, body)).detail).toBe('It answered with status 418.')
    }
    for (const chunk of [
      undefined,
      null,
      3,
      {},
      { choices: [null] },
      { choices: 3 },
      { choices: [{ delta: null, text: 3 }] },
    ]) {
      expect(piecesOf(chunk)).toEqual([])
    }
  })
})

describe('memory', () => {
  test('conversations stay in the tab, in the browser when asked to, and go when they are cleared', async () => {
    const { chat, ask, stores } = await begin()
    await ask('Hi')
    await chat.useKey('secret')
    const again = async (tab: Storage) => (await begin(fakeServer(), { ...stores, tab })).chat.state()
    expect((await again(stores.tab)).current.turns[0]).toMatchObject({ question: 'Hi', answer: 'Hello there.' })
    expect((await again(storage())).conversations).toEqual([])
    chat.change({ keep: true })
    const kept = await again(storage())
    expect(kept.conversations).toHaveLength(1)
    expect(kept.hasKey).toBe(false)
    chat.change({ keep: false })
    expect((await again(storage())).conversations).toEqual([])
    chat.change({ keep: true })
    chat.clear()
    expect(stores.tab.getItem('awq.conversations')).toBe(null)
    expect(stores.browser.getItem('awq.conversations')).toBe(null)
  })

  test('a browser that forbids its stores, and stores full of something else, do no harm', async () => {
    const forbidden = () => {
      throw new Error('SecurityError')
    }
    const memory = createMemory(forbidden, forbidden)
    memory.saveConversations([{ id: 1, turns: [] }], true)
    expect([memory.conversations(), memory.key(), memory.settings().temperature]).toEqual([[], undefined, 0.7])
    for (const stored of [null, 3, 'x', [3], [null], [{ turns: 3 }], [{ turns: [null, 3, {}] }]]) {
      expect(readConversations(stored)).toEqual([])
      expect(readSettings(stored)).toMatchObject({ temperature: 0.7, seed: undefined, theme: 'system' })
    }
    expect(readSettings({ temperature: 9, topP: '1', maxTokens: 1.5, seed: -1, theme: 'x', keep: 1 })).toEqual(
      readSettings({}),
    )
  })

  test('several conversations: begun, opened, removed; leaving one stops its answer', async () => {
    const { chat, server, ask, done } = await begin()
    await ask('one')
    chat.begin()
    chat.begin()
    server.answer(() => stream([delta('half')], false))
    chat.send('two')
    await vi.waitFor(() => expect(chat.state().current.turns[0]?.answer).toBe('half'))
    const [two, one] = chat.state().conversations
    expect([two, one].map((each) => titleOf(each!))).toEqual(['two', 'one'])
    chat.open(one!.id)
    await done()
    expect(chat.state().current.id).toBe(one!.id)
    expect(chat.state().conversations[0]!.turns[0]).toMatchObject({ answer: 'half', end: 'stopped' })
    chat.remove(one!.id)
    expect(chat.state().current.turns).toEqual([])
    expect(chat.state().conversations.map(titleOf)).toEqual(['two'])
  })

  test('a removed conversation does not come back with the rest of its answer', async () => {
    const { chat, server, done } = await begin()
    server.answer(() => stream([delta('half')], false))
    chat.send('secret')
    await vi.waitFor(() => expect(chat.state().current.turns[0]?.answer).toBe('half'))
    chat.clear()
    await done()
    expect(chat.state().conversations).toEqual([])
  })
})

test('thoughts are parted from what is said', () => {
  expect(partThought('<think>\nhm\n</think>\n\nYes')).toEqual({ thought: 'hm', said: 'Yes' })
  expect(partThought('<think> hm')).toEqual({ thought: 'hm', said: '' })
  expect(partThought('hm</think>Yes')).toEqual({ thought: 'hm', said: 'Yes' })
  expect(partThought('no <think> here')).toEqual({ thought: '', said: 'no <think> here' })
})

test('a screen reader is told whole sentences, not tokens', () => {
  const text = 'A first sentence that is long enough to be told all by itself. And a sec'
  expect(announceUpTo(text.slice(0, 40), 0, false)).toBe(0)
  const end = announceUpTo(text, 0, false)
  expect(text.slice(0, end)).toBe('A first sentence that is long enough to be told all by itself. ')
  expect(announceUpTo(text, end, false)).toBe(end)
  expect(announceUpTo(text, end, true)).toBe(text.length)
})

test('figures, numbers and models in words', () => {
  expect(tokensPerSecond({ firstSeconds: 1, seconds: 2, tokens: 21, counted: true })).toBe(10)
  expect(tokensPerSecond({ firstSeconds: 1, seconds: 0, tokens: 1, counted: true })).toBeUndefined()
  expect([260_032, 134_515_008, 7_000_000_000].map(largeNumber)).toEqual(['260,032', '135 million', '7 billion'])
  expect([0, 999, 89_469_760, 4.2e12].map(byteSize)).toEqual(['0 B', '999 B', '89.5 MB', '4.2 TB'])
  expect(['', ' 12 ', '0', 'x', '1.5', '99999999999999999'].map((typed) => readWhole(typed, 1))).toEqual([
    undefined,
    12,
    null,
    null,
    null,
    null,
  ])
  const [model] = readModels({
    data: [
      3,
      { id: 'm', chat: true, context_length: 2048, kind: 'quantized', awq: { bits: 4, bytes: 1e6, device: 'cpu' } },
      { id: 4 },
    ],
  })
  expect(model!.facts.flatMap(({ short }) => short ?? [])).toEqual(['4-bit', '1 MB', '2,048 tokens of context', 'CPU'])
  for (const body of [undefined, null, {}, { data: 3 }, { data: [null, { id: 'x', awq: 3, context_length: 'y' }] }])
    readModels(body)
})
