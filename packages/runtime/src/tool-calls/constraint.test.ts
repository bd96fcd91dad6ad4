import { fileURLToPath } from 'node:url'
import { openFolder } from '@awq/tensor/node'
import { loadTokenizer, type Tokenizer } from '@awq/text'
import { describe, expect, it } from 'vitest'
import { createRandom } from '../random.ts'
import { createToolCallParser, type Tool, toolCallConstraint, toolCallFormat, toolCallMarkerIds } from './index.ts'

const folder = await openFolder(fileURLToPath(new URL('../../../../examples/models/stories260k', import.meta.url)))
const plain = await loadTokenizer(folder)

const tools: Tool[] = [
  {
    type: 'function',
    function: {
      name: 'weather',
      parameters: {
        type: 'object',
        properties: { city: { type: 'string', maxLength: 5 }, unit: { enum: ['C', 'F'] } },
        required: ['city'],
        additionalProperties: false,
      },
    },
  },
  { type: 'function', function: { name: 'time' } },
]

/** The tokenizer with some texts as control tokens behind its own. */
const withControl = (markers: readonly string[]): Tokenizer => {
  const ids = new Map(markers.map((marker, i) => [marker, plain.vocabSize + i]))
  return {
    ...plain,
    vocabSize: plain.vocabSize + markers.length,
    specialIds: new Set([...plain.specialIds, ...ids.values()]),
    tokenId: (token) => ids.get(token) ?? plain.tokenId(token),
    tokenBytes: (id) =>
      id < plain.vocabSize ? plain.tokenBytes(id) : new TextEncoder().encode(markers[id - plain.vocabSize]),
  }
}

const templates = {
  hermes: '{{ tools }}<tool_call></tool_call>',
  functions: '{{ tools }}<tool_call><function=x></tool_call>',
  llama: '{{ tools }}<|python_tag|>',
  mistral: '{{ tools }}[TOOL_CALLS]',
  'mistral-args': '{{ tools }}[TOOL_CALLS][ARGS]',
  list: '{{ tools }}<|tool_call|>',
  cohere: '{{ tools }}<|START_ACTION|>',
  deepseek: '{{ tools }}<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>',
  json: '',
}

describe.each(Object.entries(templates))('toolCallConstraint of %s', (_, template) => {
  const format = toolCallFormat(template)
  const markers = template.match(/<[^>]+>|\[[A-Z_]+\]/g) ?? []

  it.each([
    ['text', false],
    ['control tokens', true],
  ])('gives calls that the parser reads, with markers that are %s', async (_, control) => {
    const tokenizer = control ? withControl(markers) : plain
    const decoder = new TextDecoder()
    for (const [parallel, seed] of [false, true].flatMap((x) => [1, 2, 3, 4].map((y) => [x, y] as const))) {
      const random = createRandom(seed)
      const state = (await toolCallConstraint(tools, format, tokenizer, { parallel })).start()
      const bytes: number[] = []
      while (!state.finished && bytes.length < 2000) {
        const allowed: number[] = []
        const mask = state.allowed()!
        for (let id = 0; id < tokenizer.vocabSize; id++) if ((mask[id >> 5]! >>> (id & 31)) & 1) allowed.push(id)
        const id = allowed[Math.floor(random.next() * allowed.length)]!
        state.accept(id)
        if (!tokenizer.eosIds.includes(id)) bytes.push(...tokenizer.tokenBytes(id)!)
      }
      expect(state.finished).toBe(true)
      const schemas = new Map(tools.map(({ function: called }) => [called.name, called.parameters]))
      const parser = createToolCallParser(format, schemas)
      const parts = [...parser.push(decoder.decode(Uint8Array.from(bytes))), ...parser.flush()]
      expect(parts.map(({ type }) => type)).toEqual(parts.map(() => 'call'))
      expect(parts.length).toBeGreaterThan(0)
      if (!parallel) expect(parts).toHaveLength(1)
      for (const part of parts) {
        if (part.type !== 'call') continue
        const given = JSON.parse(part.call.arguments)
        if (part.call.name === 'time') expect(given).toEqual({})
        else {
          expect(part.call.name).toBe('weather')
          expect([...given.city].length).toBeLessThanOrEqual(5)
          expect(['C', 'F', undefined]).toContain(given.unit)
        }
      }
    }
  })

  it('knows which markers must be shown', () => {
    expect(toolCallMarkerIds(format, plain)).toEqual([])
    const ids = toolCallMarkerIds(format, withControl(markers))
    expect(ids.every((id) => id >= plain.vocabSize)).toBe(true)
  })
})

it('refuses to call nothing', async () => {
  await expect(toolCallConstraint([], toolCallFormat(''), plain)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})
