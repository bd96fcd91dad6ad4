import { describe, expect, it } from 'vitest'
import { scriptedModel } from './fixtures/scripted-model.ts'
import { all, clientOf, serve } from './fixtures/serve.ts'

const user = (content: string) => [{ role: 'user' as const, content }]
const start = async (script: Parameters<typeof scriptedModel>[0] = {}) => {
  const scripted = scriptedModel(script)
  return { ...scripted, client: clientOf(await serve({ models: { tiny: scripted.model } })) }
}

const weather = {
  type: 'function' as const,
  function: {
    name: 'weather',
    description: 'The weather of a town',
    parameters: { type: 'object', properties: { town: { type: 'string' } } },
  },
}

describe('/v1/chat/completions by the client of OpenAI', () => {
  it('answers', async () => {
    const { client, prompts } = await start()
    const answer = await client.chat.completions.create({
      model: 'tiny',
      messages: [{ role: 'developer', content: 'Be kind' }, ...user('Hi')],
    })
    expect(answer).toMatchObject({
      object: 'chat.completion',
      model: 'tiny',
      choices: [
        { index: 0, message: { role: 'assistant', content: 'Hello there' }, finish_reason: 'stop', logprobs: null },
      ],
      usage: { prompt_tokens: 36, completion_tokens: 12, total_tokens: 48 },
    })
    expect(answer.id).toMatch(/^chatcmpl-\w{24}$/)
    expect(prompts).toEqual(['<system>Be kind\n<user>Hi\n<assistant>'])
  })

  it('streams, with the usage at the end when it is asked for', async () => {
    const { client } = await start()
    const stream = await client.chat.completions.create({
      model: 'tiny',
      messages: user('Hi'),
      stream: true,
      stream_options: { include_usage: true },
    })
    const chunks = await all(stream)
    expect(chunks[0]?.choices[0]?.delta).toMatchObject({ role: 'assistant', content: '' })
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('Hello there')
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('stop')
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 12 } })
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1)
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true)
  })

  it('gives several answers, each told from the others in a stream', async () => {
    const { client } = await start()
    const { choices } = await client.chat.completions.create({ model: 'tiny', messages: user('Hi'), n: 3 })
    expect(choices.map(({ index, message }) => [index, message.content])).toEqual(
      [0, 1, 2].map((index) => [index, 'Hello there']),
    )
    const texts = ['', '', '']
    const stream = await client.chat.completions.create({ model: 'tiny', messages: user('Hi'), n: 3, stream: true })
    for await (const { choices } of stream) for (const { index, delta } of choices) texts[index] += delta.content ?? ''
    expect(texts).toEqual(['Hello there', 'Hello there', 'Hello there'])
  })

  it('ends by stop strings and by length', async () => {
    const { client } = await start()
    const ask = async (options: object) => {
      const { choices } = await client.chat.completions.create({ model: 'tiny', messages: user('Hi'), ...options })
      return [choices[0]?.message.content, choices[0]?.finish_reason]
    }
    expect(await ask({ stop: ' the' })).toEqual(['Hello', 'stop'])
    expect(await ask({ stop: ['xyz', 'r'] })).toEqual(['Hello the', 'stop'])
    expect(await ask({ max_completion_tokens: 4 })).toEqual(['Hell', 'length'])
    expect(await ask({ max_tokens: 3 })).toEqual(['Hel', 'length'])
    expect(await ask({ max_tokens: null, stop: null, temperature: null, seed: -5, unknown: 1 })).toEqual([
      'Hello there',
      'stop',
    ])
  })

  it('tells how probable the tokens are', async () => {
    const { client } = await start()
    const asked = { model: 'tiny', messages: user('Hi'), logprobs: true, top_logprobs: 2 }
    const { choices } = await client.chat.completions.create(asked)
    const content = choices[0]?.logprobs?.content ?? []
    expect(content.map(({ token }) => token).join('')).toBe('Hello there')
    expect(content[0]).toMatchObject({ token: 'H', bytes: [72] })
    expect(content[0]?.top_logprobs).toHaveLength(2)
    expect(content[0]?.logprob).toBeCloseTo(0, 6)
    const stream = await client.chat.completions.create({ ...asked, stream: true })
    const streamed: unknown[] = []
    for await (const chunk of stream) streamed.push(...(chunk.choices[0]?.logprobs?.content ?? []))
    expect(streamed).toEqual(content)
  })

  it('calls functions, at once and in a stream', async () => {
    const call = '<tool_call>\n{"name": "weather", "arguments": {"town": "Rome"}}\n</tool_call>'
    const { client, prompts } = await start({ answer: `Let me see.\n${call}` })
    const asked = { model: 'tiny', messages: user('Rome?'), tools: [weather] }
    const { choices } = await client.chat.completions.create(asked)
    expect(choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: {
        content: 'Let me see.',
        tool_calls: [{ type: 'function', function: { name: 'weather', arguments: '{"town":"Rome"}' } }],
      },
    })
    expect(prompts[0]).toContain('"name":"weather"')
    const runner = client.chat.completions.stream(asked)
    const final = await runner.finalChatCompletion()
    expect(final.choices[0]?.message.tool_calls?.[0]).toMatchObject({
      function: { name: 'weather', arguments: '{"town":"Rome"}' },
    })
    expect(final.choices[0]?.finish_reason).toBe('tool_calls')
  })

  it('shows no functions with tool_choice none, and reads calls of earlier turns', async () => {
    const { client, prompts } = await start({ answer: '<tool_call>{}</tool_call>' })
    const { choices } = await client.chat.completions.create({
      model: 'tiny',
      tools: [weather],
      tool_choice: 'none',
      messages: [
        ...user('Rome?'),
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'a', type: 'function', function: { name: 'weather', arguments: '{"town":"Rome"}' } }],
        },
        { role: 'tool', tool_call_id: 'a', content: [{ type: 'text', text: 'sunny' }] },
      ],
    })
    expect(choices[0]?.message.content).toBe('<tool_call>{}</tool_call>')
    expect(prompts[0]).toContain('{"town":"Rome"}')
    expect(prompts[0]).toContain('<tool>sunny')
    expect(prompts[0]).not.toContain('description')
  })

  it('takes a prompt that fills the context and refuses one token more', async () => {
    const { client } = await start({ contextLength: 64 })
    const overhead = '<user>\n<assistant>'.length
    const ask = (length: number) =>
      client.chat.completions.create({ model: 'tiny', messages: user('x'.repeat(length - overhead)), max_tokens: 99 })
    expect((await ask(64)).choices[0]).toMatchObject({ message: { content: 'H' }, finish_reason: 'length' })
    expect((await ask(60)).choices[0]).toMatchObject({ message: { content: 'Hello' }, finish_reason: 'length' })
    await expect(ask(65)).rejects.toMatchObject({
      status: 400,
      code: 'context_length_exceeded',
      param: 'messages',
      message: expect.stringContaining('maximum context length is 64 tokens'),
    })
    await expect(ask(1_000_000)).rejects.toMatchObject({ status: 400, code: 'context_length_exceeded' })
  })

  it('frees the model when a stream is aborted', async () => {
    const { client, running } = await start({
      answer: 'x'.repeat(3000),
      beforeStep: () => new Promise((resolve) => setTimeout(resolve, 1)),
    })
    const stream = await client.chat.completions.create({ model: 'tiny', messages: user('Hi'), stream: true })
    let chunks = 0
    for await (const _ of stream) if (++chunks === 5) stream.controller.abort()
    await expect.poll(running).toBe(0)
  })

  it('tells of a failure in a stream as an error of the API, and nothing of what happened', async () => {
    let steps = 0
    const { client } = await start({
      beforeStep() {
        if (++steps > 4) throw new Error('/secret/path: broken')
      },
    })
    const stream = await client.chat.completions.create({ model: 'tiny', messages: user('Hi'), stream: true })
    const failed = await all(stream).catch((error: unknown) => error)
    expect(failed).toMatchObject({ error: { type: 'server_error', code: 'internal_error' } })
    expect(String(failed)).not.toContain('secret')
    steps = 0
    await expect(client.chat.completions.create({ model: 'tiny', messages: user('Hi') })).rejects.toMatchObject({
      status: 500,
      message: expect.not.stringContaining('secret'),
    })
  })
})
