import { describe, expect, it } from 'vitest'
import { fakeModel } from './fixtures/fake-model.ts'
import { type GenerationEvent, generate } from './generation.ts'
import type { GenerateOptions } from './generation-options.ts'
import type { TokenModel } from './token-model.ts'

/** A model that writes `script` in order after a prompt of `given` tokens, one character per token. */
const scripted = (script: string, contextLength = 1000, given = 2) =>
  fakeModel(
    (ids) => {
      const logits = new Float32Array(128)
      logits[script.charCodeAt(ids.length - given) || 0] = 5
      return logits
    },
    { contextLength },
  )

const collect = async (model: TokenModel, options: GenerateOptions = {}, prompt = [1, 2]) => {
  const generation = generate(model, prompt, options)
  const events: GenerationEvent[] = []
  for await (const event of generation) events.push(event)
  return { events, text: events.map((event) => event.text).join(''), result: await generation.result }
}

describe('generate', () => {
  it('gives one event per token, the prompt first and then one token at a time, until end of sequence', async () => {
    const { model, state } = scripted('ab\0c')
    const { events, result } = await collect(model)
    expect(events).toEqual([
      { id: 97, text: 'a', index: 0 },
      { id: 98, text: 'b', index: 1 },
      { id: 0, text: '', index: 2 },
    ])
    expect(state.seen).toEqual([[1, 2], [97], [98]])
    expect(result).toMatchObject({ text: 'ab', finishReason: 'eos', promptTokens: 2, newTokens: 3, ids: [97, 98, 0] })
    expect(result.seconds).toBeGreaterThanOrEqual(result.firstTokenSeconds)
    expect(state.open).toBe(0)
  })

  it.each(['its end', 'a failure', 'an early return'])('holds what its prompt stands for until %s', async (how) => {
    const { model } = scripted('abc\0')
    const held: string[] = []
    const holding: TokenModel = {
      ...model,
      hold: (ids) => {
        held.push(`hold ${ids}`)
        return () => held.push('release')
      },
    }
    const prompt = async ({ onHold }: { onHold: (release: () => void) => void }) => {
      onHold(() => held.push('release of the source'))
      return [1, 2]
    }
    const whole = ['hold 1,2', 'release of the source', 'release']
    const controller = new AbortController()
    const generation = generate(holding, prompt, how === 'a failure' ? { signal: controller.signal } : {})
    expect(held).toEqual([])
    for await (const _ of generation) {
      expect(held).toEqual(['hold 1,2'])
      if (how === 'an early return') break
      if (how === 'a failure') {
        controller.abort()
        await expect(generation.result).rejects.toThrow()
        break
      }
    }
    await generation.result.catch(() => {})
    expect(held).toEqual(whole)
  })

  it('ends by length, and gives back text held for a stop string', async () => {
    const { model } = scripted('ab##')
    const { text, result } = await collect(model, { maxNewTokens: 4, stop: ['###'] })
    expect(text).toBe('ab##')
    expect(result.finishReason).toBe('length')
  })

  it('gives held text back at end of sequence', async () => {
    const { model } = scripted('a#\0')
    expect((await collect(model, { stop: ['##'] })).text).toBe('a#')
  })

  it('never shows a stop string or its beginning', async () => {
    const { model, state } = scripted('ab##cd')
    const { events, text, result } = await collect(model, { stop: ['##'] })
    expect(text).toBe('ab')
    expect(events).toHaveLength(4)
    expect(result).toMatchObject({ finishReason: 'stop', stopString: '##', text: 'ab', newTokens: 4 })
    expect(state.seen).toHaveLength(4)
  })

  it('prefers the stop string over the length when both come with one token', async () => {
    const { model } = scripted('ab')
    expect((await collect(model, { stop: ['b'], maxNewTokens: 2 })).result.finishReason).toBe('stop')
  })

  it('flushes an incomplete character of the last token, and looks for stop strings in it', async () => {
    const { model } = scripted('abc')
    const withTail = { ...model, createDecoder: () => ({ push: () => '', flush: () => 'xyz' }) }
    expect((await collect(withTail, { maxNewTokens: 2 })).text).toBe('xyz')
    const stopped = await collect(withTail, { maxNewTokens: 2, stop: ['y'] })
    expect(stopped.text).toBe('x')
    expect(stopped.result.finishReason).toBe('stop')
  })

  it('fills the context to its last position and no further', async () => {
    const { model, state } = scripted('abcdef', 4)
    const { result } = await collect(model)
    expect(result).toMatchObject({ finishReason: 'length', newTokens: 3 })
    expect(state.seen.flat()).toHaveLength(4)
  })

  it('goes on after end of sequence when asked to', async () => {
    const { model } = scripted('a\0b')
    expect((await collect(model, { ignoreEos: true, maxNewTokens: 3 })).result.ids).toEqual([97, 0, 98])
  })

  it('runs to the end for `result` alone', async () => {
    const { model } = scripted('ab\0')
    expect((await generate(model, [1, 1]).result).text).toBe('ab')
  })

  it('delivers every event once when `result` is taken before the loop', async () => {
    const { model } = scripted('abc\0')
    const generation = generate(model, [1, 1])
    const { result } = generation
    await result
    const texts: string[] = []
    for await (const event of generation) texts.push(event.text)
    expect(texts.join('')).toBe('abc')
  })

  it('frees the conversation on break and reports abort', async () => {
    const { model, state } = scripted('abcdef')
    const generation = generate(model, [1, 1])
    for await (const event of generation) if (event.text === 'b') break
    expect(state.open).toBe(0)
    expect(state.seen).toHaveLength(2)
    expect(await generation.result).toMatchObject({ finishReason: 'abort', text: 'ab' })
  })

  it('rejects with the reason of the signal, in the loop and in the result, and frees the conversation', async () => {
    const { model, state } = scripted('abcdef')
    const controller = new AbortController()
    const reason = new Error('enough')
    const generation = generate(model, [1, 1], { signal: controller.signal })
    const { result } = generation
    await expect(
      (async () => {
        for await (const _ of generation) controller.abort(reason)
      })(),
    ).rejects.toBe(reason)
    await expect(result).rejects.toBe(reason)
    expect(state.open).toBe(0)
  })

  it('rejects before anything runs when the signal is already aborted', async () => {
    const { model, state } = scripted('a')
    await expect(generate(model, [1, 1], { signal: AbortSignal.abort('no') }).result).rejects.toBe('no')
    expect(state.seen).toHaveLength(0)
  })

  it('frees the conversation when the model fails, after forgetting what is in it', async () => {
    const { model } = scripted('a')
    let disposed = 0
    const truncated: number[] = []
    const broken: TokenModel = {
      ...model,
      open: () => ({
        length: 0,
        extend: async () => Float32Array.of(Number.NaN),
        truncate: (length) => truncated.push(length),
        dispose: () => {
          disposed++
        },
      }),
    }
    await expect(generate(broken, [1]).result).rejects.toMatchObject({ code: 'NUMERIC' })
    expect(disposed).toBe(1)
    expect(truncated).toEqual([0])
  })

  it.each<[string, GenerateOptions, number[], RegExp]>([
    ['no tokens', {}, [], /no tokens/],
    ['a prompt longer than the context', {}, [1, 1, 1, 1, 1], /5 tokens.*context of 4/],
    ['an id outside the vocabulary', {}, [128], /128 is outside/],
    ['a fraction as an id', {}, [1.5], /1.5 is outside/],
    ['a hole as an id', {}, [1, undefined as unknown as number], /undefined is outside/],
    ['a prompt lookup of no tokens', { promptLookup: { draft: 0 } }, [1], /promptLookup.draft/],
    ['a word for the prompt lookup', { promptLookup: 'yes' as unknown as boolean }, [1], /promptLookup/],
    ['maxNewTokens 0', { maxNewTokens: 0 }, [1], /maxNewTokens/],
    ['an empty stop string', { stop: [''] }, [1], /stop string/],
    ['a negative temperature', { temperature: -0.1 }, [1], /temperature/],
  ])('refuses %s at once', (_, options, prompt, message) => {
    const { model } = scripted('a', 4)
    expect(() => generate(model, prompt, options)).toThrow(message)
  })
})
