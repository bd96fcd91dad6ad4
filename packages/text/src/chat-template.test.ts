import { AwqError, memoryFolder } from '@awq/tensor'
import { describe, expect, it } from 'vitest'
import { fixture, smollm2, tokenizerFolder } from './fixtures/load.ts'
import { loadTokenizer } from './tokenizer.ts'
import type { ChatMessage } from './types.ts'

interface Chat {
  template: string
  messages: ChatMessage[]
  tools?: unknown[]
  add_generation_prompt?: boolean
  text?: string
  error?: string
}
const { chats } = JSON.parse(fixture('chats.json')) as { chats: Chat[] }
const config = { bos_token: '<|im_start|>', eos_token: { content: '<|im_end|>', lstrip: false } }

const withTemplate = (name: string) =>
  name === 'smollm2'
    ? loadTokenizer(tokenizerFolder('smollm2'))
    : loadTokenizer(
        memoryFolder({
          'tokenizer.json': fixture('digits-bytes.json'),
          'tokenizer_config.json': JSON.stringify(config),
          'chat_template.jinja': fixture(`templates/${name}.jinja`),
        }),
      )

describe('chat templates agree with transformers', () => {
  it.for(chats)(
    '$template: $messages',
    async ({ template, messages, tools, add_generation_prompt, text, error }, context) => {
      // Python also refuses to add a list to a string (TypeError); the template engine here writes it as text.
      if ((template === 'smollm2' && !smollm2) || error === 'TypeError') return context.skip()
      const tokenizer = await withTemplate(template)
      const render = () =>
        tokenizer.applyChatTemplate(messages, {
          ...(tools ? { tools } : {}),
          addGenerationPrompt: add_generation_prompt ?? false,
          variables: { date_string: '21 Nov 2026' },
        })
      if (text === undefined) expect(render).toThrow(AwqError)
      else expect(render()).toBe(text)
    },
  )
})

describe('applyChatTemplate', () => {
  const user = [{ role: 'user', content: 'Hi' }]

  it('says that a base model has no template', async () => {
    const tokenizer = await loadTokenizer(tokenizerFolder('stories260k'))
    expect(() => tokenizer.applyChatTemplate(user)).toThrow(/no chat template.*instruction-tuned/)
  })

  it('passes on what the template says when it refuses', async () => {
    const tokenizer = await withTemplate('bracket-style')
    expect(() => tokenizer.applyChatTemplate([...user, ...user])).toThrow(/user, user\): .*must alternate/)
  })

  it('refuses messages without a role, and no messages', async () => {
    const tokenizer = await withTemplate('chatml')
    expect(() => tokenizer.applyChatTemplate([])).toThrow(/at least one message/)
    expect(() => tokenizer.applyChatTemplate([{ content: 'x' } as unknown as ChatMessage])).toThrow(/message 0/)
  })

  it('says when a template cannot be compiled', async () => {
    const files = { 'tokenizer.json': fixture('digits-bytes.json'), 'chat_template.jinja': '{% if %}' }
    const tokenizer = await loadTokenizer(memoryFolder(files, 'odd'))
    expect(() => tokenizer.applyChatTemplate(user)).toThrow(/template of odd cannot be compiled/)
  })

  it('takes named templates, tool_use when there are tools', async () => {
    const chat_template = [
      { name: 'default', template: 'plain {{ messages[0].content }}' },
      { name: 'tool_use', template: 'tools {{ tools | length }}' },
    ]
    const files = {
      'tokenizer.json': fixture('digits-bytes.json'),
      'tokenizer_config.json': JSON.stringify({ chat_template }),
    }
    const tokenizer = await loadTokenizer(memoryFolder(files))
    expect(tokenizer.applyChatTemplate(user)).toBe('plain Hi')
    expect(tokenizer.applyChatTemplate(user, { tools: [{}] })).toBe('tools 1')
  })

  it('knows the date', async () => {
    const tokenizer = await withTemplate('header-style')
    expect(tokenizer.applyChatTemplate(user)).toMatch(/Today is \d\d \w+ \d{4}\n/)
  })
})
