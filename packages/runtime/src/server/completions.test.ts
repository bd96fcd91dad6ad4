import { describe, expect, it } from 'vitest'
import { scriptedModel } from './fixtures/scripted-model.ts'
import { all, clientOf, post, serve } from './fixtures/serve.ts'

const start = async (script: Parameters<typeof scriptedModel>[0] = {}) => {
  const scripted = scriptedModel({ chatTemplate: null, ...script })
  const server = await serve({ models: { tiny: scripted.model } })
  return { ...scripted, server, client: clientOf(server) }
}

describe('/v1/completions by the client of OpenAI', () => {
  it('continues texts and tokens, many at a time', async () => {
    const { client, prompts } = await start({ answer: (prompt) => prompt.toUpperCase() })
    const ask = async (prompt: string | string[] | number[] | number[][], options = {}) => {
      const { choices, usage } = await client.completions.create({ model: 'tiny', prompt, ...options })
      return { texts: choices.map(({ text }) => text), usage }
    }
    expect((await ask('abc')).texts).toEqual(['ABC'])
    expect(await ask(['ab', 'cde'], { n: 2 })).toMatchObject({
      texts: ['AB', 'AB', 'CDE', 'CDE'],
      usage: { prompt_tokens: 5, completion_tokens: 14 },
    })
    expect((await ask([97, 98])).texts).toEqual(['AB'])
    expect((await ask([[97], [98]], { echo: true })).texts).toEqual(['aA', 'bB'])
    expect((await ask('x'.repeat(40))).texts).toEqual(['X'.repeat(16)])
    expect(prompts).toHaveLength(9)
  })

  it('streams', async () => {
    const { client } = await start()
    const stream = await client.completions.create({
      model: 'tiny',
      prompt: 'ab',
      echo: true,
      stream: true,
      stream_options: { include_usage: true },
    })
    const chunks = await all(stream)
    expect(chunks.map(({ choices }) => choices[0]?.text ?? '').join('')).toBe('abHello there')
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('stop')
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 2, completion_tokens: 12 } })
  })

  it('tells how probable the tokens are', async () => {
    const { client } = await start()
    const { choices } = await client.completions.create({ model: 'tiny', prompt: 'ab', logprobs: 2, max_tokens: 3 })
    const { tokens, text_offset, token_logprobs, top_logprobs } = choices[0]?.logprobs ?? {}
    expect({ tokens, text_offset }).toEqual({ tokens: ['H', 'e', 'l'], text_offset: [2, 3, 4] })
    expect(token_logprobs).toHaveLength(3)
    expect(Object.keys(top_logprobs?.[0] ?? {})).toContain('H')
  })

  it.each<[string, object, string]>([
    ['text between', { suffix: 'x' }, 'suffix'],
    ['a best of more than n', { best_of: 3 }, 'best_of'],
    ['no new tokens', { max_tokens: 0 }, 'max_tokens'],
    ['log-probabilities of the prompt', { echo: true, logprobs: 1 }, 'logprobs'],
    ['ids outside of the vocabulary', { prompt: [128] }, 'prompt'],
    ['an empty list', { prompt: [] }, 'prompt'],
    ['too many answers', { prompt: ['a', 'b'], n: 100 }, 'n'],
    ['biases of tokens that there are not', { logit_bias: { 128: 1 } }, 'logit_bias'],
    ['options of streams without one', { stream_options: { include_usage: true } }, 'stream_options'],
  ])('refuses %s', async (_, options, param) => {
    const { server } = await start()
    const { status, body } = await post(server, '/v1/completions', { model: 'tiny', prompt: 'a', ...options })
    expect([status, body.error?.param]).toEqual([400, param])
  })

  it('refuses a chat with a model that has no template', async () => {
    const { server } = await start()
    const asked = { model: 'tiny', messages: [{ role: 'user', content: 'a' }] }
    const { status, body } = await post(server, '/v1/chat/completions', asked)
    expect(status).toBe(400)
    expect(body.error?.message).toContain('/v1/completions')
  })
})
