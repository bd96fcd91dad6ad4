import { APICallError } from '@ai-sdk/provider'
import { AwqError } from '@awq/tensor'
import {
  generateObject,
  generateText,
  jsonSchema,
  Output,
  type LanguageModel as SdkModel,
  stepCountIs,
  streamText,
  tool,
} from 'ai'
import { describe, expect, it } from 'vitest'
import type { LanguageModel } from '../language-model.ts'
import { type Script, scriptedModel } from '../server/fixtures/scripted-model.ts'
import { toFetchHandler } from '../server/index.ts'
import { type AwqModel, awqModel, createAwq } from './index.ts'
import { sseData } from './sse-data.ts'

const local = (script: Script): AwqModel => awqModel(scriptedModel(script).model)

/** The same through a server's handler, without a network. */
const remote = (script: Script): AwqModel => {
  const handler = toFetchHandler({ models: { scripted: scriptedModel(script).model } })
  return createAwq({
    baseURL: 'http://server/v1/',
    fetch: async (url, init) => handler(new Request(url as string, init as RequestInit)),
  })('scripted')
}

const weather = tool({
  description: 'The weather',
  inputSchema: jsonSchema<{ city: string }>({
    type: 'object',
    properties: { city: { type: 'string', maxLength: 8 } },
    required: ['city'],
    additionalProperties: false,
  }),
  execute: async ({ city }) => `sunny in ${city}`,
})

const asked = '<tool_call>\n{"name": "weather", "arguments": {"city": "Bern"}}\n</tool_call>'
/** Calls once, and then says what came back. */
const caller = (prompt: string) => (prompt.includes('<tool>') ? 'It is sunny.' : `I look.\n${asked}`)

describe.each<[string, (script: Script) => SdkModel]>([
  ['a model in this process', local],
  ['a model of a server', remote],
])('%s', (_, model) => {
  const call = { maxRetries: 0, prompt: 'Hi' }

  it('generates text', async () => {
    const { text, usage, finishReason } = await generateText({ ...call, model: model({}), system: 'Be kind.' })
    expect(text).toBe('Hello there')
    expect(finishReason).toBe('stop')
    expect(usage.outputTokens).toBe(12)
    expect(usage.inputTokens).toBeGreaterThan(10)
  })

  it('streams text', async () => {
    const { textStream, finishReason } = streamText({ ...call, model: model({}), maxOutputTokens: 5 })
    const pieces: string[] = []
    for await (const piece of textStream) pieces.push(piece)
    expect(pieces.join('')).toBe('Hello')
    expect(pieces.length).toBeGreaterThan(1)
    expect(await finishReason).toBe('length')
  })

  it('calls functions and goes on with their results', async () => {
    const { text, steps } = await generateText({
      ...call,
      model: model({ answer: caller }),
      tools: { weather },
      stopWhen: stepCountIs(3),
    })
    expect(text).toBe('It is sunny.')
    expect(steps).toHaveLength(2)
    expect(steps[0]).toMatchObject({ finishReason: 'tool-calls', text: 'I look.' })
    expect(steps[0]!.toolResults[0]).toMatchObject({ toolName: 'weather', output: 'sunny in Bern' })
  })

  it('streams calls', async () => {
    const { fullStream } = streamText({ ...call, model: model({ answer: caller }), tools: { weather } })
    const types: string[] = []
    for await (const part of fullStream) types.push(part.type)
    expect(types).toEqual(
      expect.arrayContaining(['text-delta', 'tool-input-start', 'tool-call', 'tool-result', 'finish']),
    )
    expect(types).not.toContain('error')
  })

  it('gives objects of a schema, whatever it would rather say', async () => {
    const schema = jsonSchema<{ name: string; age: number }>({
      type: 'object',
      properties: { name: { type: 'string', maxLength: 6 }, age: { type: 'integer', minimum: 1, maximum: 99 } },
      required: ['name', 'age'],
      additionalProperties: false,
    })
    const said = { model: model({ answer: 'No!' }), prompt: 'Who?', maxRetries: 0 }
    const { output } = await generateText({ ...said, output: Output.object({ schema }) })
    const { object } = await generateObject({ ...said, schema })
    for (const { name, age } of [object, output]) {
      expect([...name].length).toBeLessThanOrEqual(6)
      expect(age).toBeGreaterThanOrEqual(1)
      expect(age).toBeLessThanOrEqual(99)
    }
  })

  it.each(['required', { type: 'tool', toolName: 'weather' }] as const)(
    'calls when it must: %j',
    async (toolChoice) => {
      const { toolCalls } = await generateText({
        model: model({ answer: 'No!' }),
        tools: { weather },
        toolChoice,
        prompt: 'Hi',
        maxRetries: 0,
      })
      expect(toolCalls.length).toBeGreaterThan(0)
      expect(toolCalls[0]).toMatchObject({ toolName: 'weather', input: { city: expect.any(String) } })
    },
  )

  it('says what is wrong with a prompt that is too long', async () => {
    const error = await generateText({ ...call, model: model({ contextLength: 8 }) }).catch((reason: unknown) => reason)
    expect(APICallError.isInstance(error) && error).toMatchObject({ statusCode: 400, isRetryable: false })
  })

  it('stops when it is told to', async () => {
    const controller = new AbortController()
    const script = { answer: 'a'.repeat(500), beforeStep: () => new Promise<void>((resolve) => setTimeout(resolve, 1)) }
    const { textStream } = streamText({ ...call, model: model(script), abortSignal: controller.signal })
    let count = 0
    for await (const _ of textStream) if (++count === 3) controller.abort()
    expect(count).toBeLessThan(500)
  })
})

describe('a model in this process', () => {
  it('is tried again when it is busy', async () => {
    const { model } = scriptedModel({})
    let calls = 0
    const busy: LanguageModel = {
      ...model,
      generate(...input) {
        if (calls++ === 0) throw new AwqError('BUSY', 'Too much to do.')
        return model.generate(...input)
      },
    }
    expect((await generateText({ model: awqModel(busy), prompt: 'Hi', maxRetries: 1 })).text).toBe('Hello there')
    expect(calls).toBe(2)
  })

  it('is found by its name', async () => {
    const awq = createAwq({ models: { mine: scriptedModel({}).model } })
    expect((await generateText({ model: awq('mine'), prompt: 'Hi' })).text).toBe('Hello there')
    expect(() => awq('yours')).toThrow(/yours/)
    expect(() => awq.embeddingModel('mine')).toThrow(/mine/)
  })

  it('refuses files that are no images', async () => {
    const file = { type: 'file', data: Uint8Array.of(1, 2), mediaType: 'application/pdf' } as const
    const messages = [{ role: 'user' as const, content: [file] }]
    await expect(generateText({ model: local({}), messages, maxRetries: 0 })).rejects.toThrow(/application\/pdf/)
  })
})

describe('sseData', () => {
  it.each(['\n', '\r\n', '\r'])('reads events in pieces of any size, lines ending with %j', async (line) => {
    const text = [
      ': hello',
      'data: {"a":1}',
      '',
      'event: x',
      'data:two',
      'data: é',
      '',
      'data: [DONE]',
      '',
      'data: no',
      '',
    ].join(line)
    const bytes = new TextEncoder().encode(text)
    for (const size of [1, 3, 1000]) {
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size))
          controller.close()
        },
      })
      const events: string[] = []
      for await (const data of sseData(body)) events.push(data)
      expect(events).toEqual(['{"a":1}', 'two\né'])
    }
  })
})
