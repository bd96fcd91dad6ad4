import { describe, expect, it } from 'vitest'
import { createToolCallParser, messagesWithTools, type ToolCallPart, toolCallFormat, toolCallMarkers } from './index.ts'

const weather = { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } } }
const tools = new Map<string, unknown>([
  ['weather', weather],
  ['time', {}],
])

const templates = {
  hermes: '{% for tool in tools %}{{ tool | tojson }}{% endfor %} <tool_call>\n{"name": <function-name>}\n</tool_call>',
  functions: '{{ tools }} <tool_call>\n<function=example>\n<parameter=x>\n</parameter></function></tool_call>',
  llama: '{{ "Respond in the format {\\"name\\": function name, " }}{{ tools }} <|python_tag|>',
  mistral: "{{ '[AVAILABLE_TOOLS]' }}{{ tools }}[TOOL_CALLS]",
  'mistral-args': "{{ tools }}{{ '[TOOL_CALLS]' + name + '[ARGS]' }}",
  list: '{{ tools }}<|tool_call|>',
  cohere: '{{ tools }}<|START_ACTION|>',
  deepseek: '{{ tools }}<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>',
  json: '{{ tools }}',
}

/** The parts of a text that comes whole, checked to be the same when it comes character by character. */
const read = (template: string, text: string): ToolCallPart[] => {
  const format = toolCallFormat(template)
  const join = (parts: readonly ToolCallPart[]): ToolCallPart[] => {
    const joined: ToolCallPart[] = []
    for (const part of parts) {
      const last = joined[joined.length - 1]
      if (part.type === 'content' && last?.type === 'content') {
        joined[joined.length - 1] = { type: 'content', text: last.text + part.text }
      } else joined.push(part)
    }
    return joined
  }
  const whole = createToolCallParser(format, tools)
  const all = join([...whole.push(text), ...whole.flush()])
  const piecewise = createToolCallParser(format, tools)
  expect(join([...[...text].flatMap((piece) => piecewise.push(piece)), ...piecewise.flush()])).toEqual(all)
  return all
}

const call = (name: string, args: unknown): ToolCallPart => ({
  type: 'call',
  call: { name, arguments: JSON.stringify(args) },
})
const content = (text: string): ToolCallPart => ({ type: 'content', text })

describe('toolCallFormat', () => {
  it.each(Object.entries(templates))('tells %s by the template', (name, template) => {
    expect(toolCallFormat(template)).toMatchObject({ name, inTemplate: true })
  })

  it('falls back to JSON that the messages explain', () => {
    expect(toolCallFormat('{{ messages }}')).toMatchObject({ name: 'json', inTemplate: false })
    expect(toolCallFormat(undefined)).toMatchObject({ name: 'json', inTemplate: false })
  })

  it('knows the markers', () => {
    expect(toolCallMarkers(toolCallFormat(templates.mistral))).toEqual(['[TOOL_CALLS]'])
    expect(toolCallMarkers(toolCallFormat(templates.json))).toEqual([])
  })
})

describe('createToolCallParser', () => {
  it.each<[string, keyof typeof templates, string, ToolCallPart[]]>([
    ['plain text', 'hermes', 'It is < 5 <tool here.', [content('It is < 5 <tool here.')]],
    [
      'one call',
      'hermes',
      '<tool_call>\n{"name": "weather", "arguments": {"city": "Bern"}}\n</tool_call>',
      [call('weather', { city: 'Bern' })],
    ],
    [
      'text and two calls',
      'hermes',
      'Let me see.\n<tool_call>{"name":"weather","arguments":{"city":"A"}}</tool_call>\n<tool_call>{"name":"time"}</tool_call>',
      [content('Let me see.'), call('weather', { city: 'A' }), call('time', {})],
    ],
    [
      'text behind a call',
      'hermes',
      '<tool_call>{"name":"time"}</tool_call>\nDone.',
      [call('time', {}), content('Done.')],
    ],
    [
      'a marker inside of a string',
      'hermes',
      '<tool_call>{"name":"weather","arguments":{"city":"</tool_call> \\" }"}}</tool_call>',
      [call('weather', { city: '</tool_call> " }' })],
    ],
    [
      'arguments as a text of JSON',
      'hermes',
      '<tool_call>{"name":"time","arguments":"{\\"a\\":1}"}</tool_call>',
      [call('time', { a: 1 })],
    ],
    ['a call without its end marker', 'hermes', '<tool_call>{"name":"time"}', [call('time', {})]],
    ['a call that breaks off', 'hermes', '<tool_call>{"name":"ti', [content('<tool_call>{"name":"ti')]],
    [
      'a call that is no JSON',
      'hermes',
      '<tool_call>{name: time}</tool_call> x',
      [content('<tool_call>{name: time}</tool_call> x')],
    ],
    [
      'parameters by tags, typed by the schema',
      'functions',
      '<tool_call>\n<function=weather>\n<parameter=city>\n12\n</parameter>\n<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>',
      [call('weather', { city: '12', days: 3 })],
    ],
    ['bare JSON', 'llama', '{"name": "weather", "parameters": {"city": "A"}}', [call('weather', { city: 'A' })]],
    [
      'several behind a tag',
      'llama',
      '<|python_tag|>{"name": "time", "parameters": {}}; {"name": "time", "parameters": {"a": [1]}}',
      [call('time', {}), call('time', { a: [1] })],
    ],
    ['JSON that is an answer', 'llama', '{"name": "Peter"} ', [content('{"name": "Peter"} ')]],
    [
      'JSON of no known function',
      'json',
      '{"name": "x", "arguments": {}}',
      [content('{"name": "x", "arguments": {}}')],
    ],
    ['JSON behind text', 'json', 'So: {"name": "time"}', [content('So: {"name": "time"}')]],
    ['JSON', 'json', ' {"name": "time", "arguments": {}}\n', [call('time', {})]],
    [
      'a list',
      'mistral',
      '[TOOL_CALLS][{"name": "time", "arguments": {}}, {"name": "weather", "arguments": {"city": "]"}}]',
      [call('time', {}), call('weather', { city: ']' })],
    ],
    [
      'names with arguments',
      'mistral-args',
      '[TOOL_CALLS]time[ARGS]{"a": 1}[TOOL_CALLS]weather[CALL_ID]abc[ARGS]{"city": "x"}',
      [call('time', { a: 1 }), call('weather', { city: 'x' })],
    ],
    ['a list in other words', 'list', '<|tool_call|>[{"name":"time","arguments":{}}]', [call('time', {})]],
    [
      'actions',
      'cohere',
      '<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "time", "parameters": {"a": 2}}]<|END_ACTION|>',
      [call('time', { a: 2 })],
    ],
    [
      'a block of JSON',
      'deepseek',
      '<｜tool▁call▁begin｜>function<｜tool▁sep｜>time\n```json\n{"a": 1}\n```<｜tool▁call▁end｜>',
      [call('time', { a: 1 })],
    ],
  ])('reads %s', (_, template, text, parts) => {
    expect(read(templates[template], text)).toEqual(parts)
  })

  it('shows text as soon as it cannot be a call', () => {
    const parser = createToolCallParser(toolCallFormat(templates.hermes), tools)
    expect(parser.push('Hi <to')).toEqual([content('Hi')])
    expect(parser.push('p>')).toEqual([content(' <top>')])
  })
})

describe('messagesWithTools', () => {
  const tool = { type: 'function', function: { name: 'time', parameters: {} } } as const
  const turn = [
    { role: 'user', content: 'When?' },
    { role: 'assistant', content: null, tool_calls: [{ id: '1', function: { name: 'time', arguments: '{"a":1}' } }] },
    { role: 'tool', content: '12:00', tool_call_id: '1' },
  ]

  it('gives the template objects for arguments', () => {
    const { messages, tools } = messagesWithTools(turn, [tool], toolCallFormat(templates.hermes))
    expect(messages[1]).toMatchObject({ content: '', tool_calls: [{ function: { arguments: { a: 1 } } }] })
    expect(tools).toEqual([tool])
  })

  it('explains the functions itself where the template does not', () => {
    const { messages, tools } = messagesWithTools(turn, [tool], toolCallFormat(undefined))
    expect(tools).toEqual([])
    expect(messages.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'user'])
    expect(messages[0]!.content).toContain('"name":"time"')
    expect(messages[2]!.content).toBe('{"name":"time","arguments":{"a":1}}')
    const system = { role: 'system', content: 'Be kind.' }
    const merged = messagesWithTools([system, ...turn], [tool], toolCallFormat(undefined)).messages
    expect(merged).toHaveLength(4)
    expect(merged[0]!.content).toMatch(/^Be kind\.\n\nYou can call/)
  })

  it('refuses arguments that are no JSON', () => {
    const wrong = [{ role: 'assistant', tool_calls: [{ function: { name: 'time', arguments: '{' } }] }]
    expect(() => messagesWithTools(wrong, [], toolCallFormat(undefined))).toThrow(/arguments of the call of time/)
  })
})
