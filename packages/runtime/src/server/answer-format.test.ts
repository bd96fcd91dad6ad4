import { describe, expect, it } from 'vitest'
import { scriptedModel } from './fixtures/scripted-model.ts'
import { clientOf, post, serve } from './fixtures/serve.ts'

const messages = [{ role: 'user' as const, content: 'Rome?' }]
const start = async (answer: string, chatTemplate?: string) => {
  const scripted = scriptedModel({ answer, ...(chatTemplate ? { chatTemplate } : {}) })
  const server = await serve({ models: { tiny: scripted.model } })
  return { ...scripted, server, client: clientOf(server) }
}

const town = { type: 'object', properties: { town: { $ref: '#/$defs/name' } }, required: ['town'] }
const parameters = { ...town, $defs: { name: { type: 'string', maxLength: 8 } }, additionalProperties: false }
const tool = (name: string) => ({ type: 'function' as const, function: { name, parameters } })
const tools = [tool('weather'), tool('news')]
const call = (name: string) => `<tool_call>\n{"name":"${name}","arguments":{"town":"Rome"}}\n</tool_call>`

describe('answers of a form', () => {
  it('are JSON of a schema whatever the model would write', async () => {
    const schema = {
      type: 'object',
      properties: { ok: { type: 'boolean' }, size: { enum: [1, 2] } },
      required: ['ok', 'size'],
      additionalProperties: false,
    }
    const { client } = await start('No JSON at all')
    const format = { type: 'json_schema' as const, json_schema: { name: 'answer', schema, strict: true } }
    const asked = { model: 'tiny', messages, temperature: 0 }
    const { choices } = await client.chat.completions.create({ ...asked, response_format: format })
    const value = JSON.parse(choices[0]?.message.content ?? '') as Record<string, unknown>
    expect(Object.keys(value)).toEqual(['ok', 'size'])
    expect([1, 2]).toContain(value.size)
    expect(choices[0]?.finish_reason).toBe('stop')
    const response = await client.responses.create({
      model: 'tiny',
      input: 'Rome?',
      temperature: 0,
      text: { format: { type: 'json_schema', name: 'answer', schema } },
    })
    expect(Object.keys(JSON.parse(response.output_text))).toEqual(['ok', 'size'])
  })

  it('are whole when few tokens are left, whatever the model would write', async () => {
    const list = { type: 'array', items: { $ref: '#' } }
    const schema = { type: 'object', properties: { all: list }, required: ['all'], additionalProperties: { $ref: '#' } }
    const { client } = await start('{"all":[{"all":[{"all":[{"all":[{"all":[')
    const response_format = { type: 'json_schema' as const, json_schema: { name: 'tree', schema } }
    const ask = async (max_tokens: number) => {
      const asked = { model: 'tiny', messages, temperature: 0, response_format, max_tokens }
      const { choices } = await client.chat.completions.create(asked)
      return choices[0]
    }
    for (const most of [10, 11, 20, 33]) {
      const answer = await ask(most)
      expect(JSON.parse(answer?.message.content ?? '')).toHaveProperty('all')
      expect(answer?.finish_reason).toBe('stop')
    }
    expect(await ask(9)).toMatchObject({ message: { content: '{"all":[{' }, finish_reason: 'length' })
    const { client: caller } = await start('<tool_call>\n{"name":"news","arguments":{"town":"Rome Rome Rome')
    const { choices } = await caller.chat.completions.create({
      ...{ model: 'tiny', messages, tools, tool_choice: 'required', temperature: 0, max_tokens: 70 },
    })
    const [made] = choices[0]?.message.tool_calls ?? []
    expect(made).toMatchObject({ function: { name: 'news', arguments: expect.stringMatching(/^\{"town":"Ro.*"\}$/) } })
  })

  it('are an object with json_object', async () => {
    const { client } = await start('{"a": [1]}')
    const format = { type: 'json_object' as const }
    const { choices } = await client.chat.completions.create({ model: 'tiny', messages, response_format: format })
    expect(JSON.parse(choices[0]?.message.content ?? '')).toEqual({ a: [1] })
  })

  it('are calls where one is required, of the function that is named', async () => {
    const { client, prompts } = await start(call('news'))
    const ask = async (tool_choice: 'required' | { type: 'function'; function: { name: string } }) => {
      const { choices } = await client.chat.completions.create({ model: 'tiny', messages, tools, tool_choice })
      return choices[0]
    }
    expect(await ask('required')).toMatchObject({
      finish_reason: 'tool_calls',
      message: { content: null, tool_calls: [{ function: { name: 'news', arguments: '{"town":"Rome"}' } }] },
    })
    // As OpenAI's API has it: a function that was named is no news.
    expect(await ask({ type: 'function', function: { name: 'news' } })).toMatchObject({
      finish_reason: 'stop',
      message: { tool_calls: [{ function: { name: 'news' } }] },
    })
    expect(prompts.every((prompt) => prompt.endsWith('<assistant>'))).toBe(true)
    const response = await client.responses.create({
      model: 'tiny',
      input: 'Rome?',
      tool_choice: 'required',
      tools: [{ type: 'function', name: 'news', parameters, strict: true }],
    })
    expect(response.output).toMatchObject([{ type: 'function_call', name: 'news' }])
  })

  it.each([
    [undefined, 'required', 2],
    [false, 'required', 1],
    [undefined, { type: 'function', function: { name: 'news' } }, 1],
  ] as const)('are as many calls as may be: parallel_tool_calls %s, tool_choice %s', async (parallel, choice, most) => {
    const { client } = await start(`${call('news')}\n${call('weather')}`)
    const asked = { model: 'tiny', messages, tools, tool_choice: choice, temperature: 0 }
    const { choices } = await client.chat.completions.create({
      ...asked,
      ...(parallel === undefined ? {} : { parallel_tool_calls: parallel }),
    })
    const names = choices[0]?.message.tool_calls?.map((made) => made.type === 'function' && made.function.name)
    expect(names).toEqual(['news', 'weather'].slice(0, most))
  })

  it('are calls by the markers of the model, which a stream does not show as text', async () => {
    const { client } = await start('[TOOL_CALLS][{"name":"weather","arguments":{"town":"Rome"}}]', 'tools [TOOL_CALLS]')
    const runner = client.chat.completions.stream({ model: 'tiny', messages, tools, tool_choice: 'required' })
    const { choices } = await runner.finalChatCompletion()
    expect(choices[0]?.message).toMatchObject({
      content: '',
      tool_calls: [{ function: { name: 'weather', arguments: '{"town":"Rome"}' } }],
    })
  })

  it('are either where there are functions and a schema', async () => {
    const schema = {
      type: 'object',
      properties: { done: { const: true } },
      required: ['done'],
      additionalProperties: false,
    }
    const format = { type: 'json_schema' as const, json_schema: { name: 'answer', schema } }
    const ask = async (answer: string) => {
      const { client } = await start(answer)
      const { choices } = await client.chat.completions.create({
        model: 'tiny',
        messages,
        tools,
        response_format: format,
      })
      return choices[0]
    }
    expect(await ask('{"done":true}')).toMatchObject({ message: { content: '{"done":true}' }, finish_reason: 'stop' })
    expect(await ask(call('news'))).toMatchObject({ message: { content: null }, finish_reason: 'tool_calls' })
  })

  it.each<[string, object, string]>([
    [
      'a schema that is not supported',
      { response_format: { type: 'json_schema', json_schema: { name: 'a', schema: { not: {} } } } },
      'response_format',
    ],
    [
      'a schema that is none',
      { response_format: { type: 'json_schema', json_schema: { name: 'a', schema: { type: 'dog' } } } },
      'response_format',
    ],
    ['a required call of nothing', { tool_choice: 'required' }, 'tool_choice'],
    [
      'a call of an unknown function',
      { tools, tool_choice: { type: 'function', function: { name: 'x' } } },
      'tool_choice',
    ],
  ])('refuse %s', async (_, options, param) => {
    const { server } = await start('x')
    const { status, body } = await post(server, '/v1/chat/completions', { model: 'tiny', messages, ...options })
    expect([status, body.error?.param]).toEqual([400, param])
  })
})
