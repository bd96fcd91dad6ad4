import { describe, expect, it } from 'vitest'
import { scriptedModel } from './fixtures/scripted-model.ts'
import { all, clientOf, post, serve } from './fixtures/serve.ts'

const start = async (script: Parameters<typeof scriptedModel>[0] = {}) => {
  const scripted = scriptedModel(script)
  const server = await serve({ models: { tiny: scripted.model } })
  return { ...scripted, server, client: clientOf(server) }
}

const weather = {
  type: 'function' as const,
  name: 'weather',
  parameters: { type: 'object', properties: { town: { type: 'string' } } },
  strict: false,
}

describe('/v1/responses by the client of OpenAI', () => {
  it('answers a text, and items', async () => {
    const { client, prompts } = await start()
    const response = await client.responses.create({ model: 'tiny', input: 'Hi', instructions: 'Be kind' })
    expect(response).toMatchObject({
      object: 'response',
      status: 'completed',
      output_text: 'Hello there',
      usage: { input_tokens: 36, output_tokens: 12, total_tokens: 48 },
    })
    await client.responses.create({
      model: 'tiny',
      input: [
        { role: 'user', content: [{ type: 'input_text', text: 'Rome?' }] },
        { type: 'function_call', call_id: 'a', name: 'weather', arguments: '{"town":"Rome"}' },
        { type: 'function_call_output', call_id: 'a', output: 'sunny' },
        ...(response.output as []),
      ],
    })
    expect(prompts).toEqual([
      '<system>Be kind\n<user>Hi\n<assistant>',
      '<user>Rome?\n<assistant>[{"id":"a","type":"function","function":{"name":"weather","arguments":{"town":"Rome"}}}]\n' +
        '<tool>sunny\n<assistant>Hello there\n<assistant>',
    ])
  })

  it('streams a message and a call as events whose numbers grow', async () => {
    const call = '<tool_call>{"name": "weather", "arguments": {"town": "Rome"}}</tool_call>'
    const { client } = await start({ answer: `Let me see. ${call}` })
    const asked = { model: 'tiny', input: 'Rome?', tools: [weather] }
    const events = await all(await client.responses.create({ ...asked, stream: true }))
    expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, index) => index))
    expect([...new Set(events.map(({ type }) => type))]).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.function_call_arguments.delta',
      'response.function_call_arguments.done',
      'response.completed',
    ])
    const final = await client.responses.stream(asked).finalResponse()
    expect(final.output).toMatchObject([
      { type: 'message', content: [{ type: 'output_text', text: 'Let me see.' }] },
      { type: 'function_call', name: 'weather', arguments: '{"town":"Rome"}' },
    ])
    expect((await client.responses.create(asked)).output).toMatchObject([
      { type: 'message' },
      { type: 'function_call' },
    ])
  })

  it('tells when it was cut off', async () => {
    const { client } = await start()
    expect(await client.responses.create({ model: 'tiny', input: 'Hi', max_output_tokens: 4 })).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
      output_text: 'Hell',
    })
  })

  it.each<[string, object, string]>([
    ['earlier responses', { previous_response_id: 'resp_1' }, 'previous_response_id'],
    ['conversations that are kept', { conversation: 'conv_1' }, 'conversation'],
    ['work in the background', { background: true }, 'background'],
    ['images', { input: [{ role: 'user', content: [{ type: 'input_image' }] }] }, 'input[0].content[0].image_url'],
    ['items that there are not', { input: [{ type: 'nonsense' }] }, 'input[0].type'],
    ['no input', { input: null }, 'input'],
  ])('refuses %s', async (_, options, param) => {
    const { server } = await start()
    const { status, body } = await post(server, '/v1/responses', { model: 'tiny', input: 'a', ...options })
    expect([status, body.error?.param]).toEqual([400, param])
  })
})
