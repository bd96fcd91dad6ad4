import { PassThrough } from 'node:stream'
import { AwqError } from '@awq/tensor'
import { describe, expect, it } from 'vitest'
import { fakeContext, fakeModel, runMain, runtime } from '../fixtures/fakes.ts'
import type { TokenizerLibrary } from '../libraries.ts'
import { main } from '../main.ts'

describe('logits', () => {
  const rows = [
    [0.5, -1, 2],
    [1, 2, 3],
  ]
  /** A model that gives `logits`, and records how it was asked. */
  const libraries = (logits: number[][], loadTokenizer?: TokenizerLibrary['loadTokenizer']) => {
    const asked: unknown[] = []
    return {
      asked,
      ...(loadTokenizer ? { tokenizer: async () => ({ loadTokenizer }) } : {}),
      ...runtime({
        modelLogits: async (model, ids, { signal: _, ...options }) => {
          asked.push([model.name, ids, options])
          return (options.all ? logits : logits.slice(-1)).map((row) => Float32Array.from(row))
        },
      }),
    }
  }
  const named = async () => ({
    createDecoder: (options: { continuation: boolean }) => ({
      push: (id: number) => (options.continuation ? ` ${id}` : `${id}`),
      flush: () => '!',
    }),
  })
  const failing = (error: Error) => async () => {
    throw error
  }
  it('prints the last position, or all of them, as JSON without a tokenizer', async () => {
    const library = libraries(rows)
    const last = await runMain(['logits', 'm', '--ids', '1,2', '--json'], library)
    expect(last.events()).toEqual([{ type: 'done', logits: [1, 2, 3] }])
    const all = await runMain(
      ['logits', 'm', '--ids', '1,2', '--all', '--json', '--accuracy', 'fast', '--threads', '2'],
      library,
    )
    expect(all.events()).toEqual([{ type: 'done', logits: rows }])
    expect(library.asked).toEqual([
      ['m', [1, 2], { device: 'cpu', accuracy: 'exact', all: false, onWarning: expect.any(Function) }],
      ['m', [1, 2], { device: 'cpu', accuracy: 'fast', all: true, threads: 2, onWarning: expect.any(Function) }],
    ])
  })
  it('names the tokens where the model has a tokenizer', async () => {
    const last = await runMain(['logits', 'm', '--ids', '1,2'], libraries(rows, named))
    expect(last.stdout.split('\n').slice(0, 2)).toEqual([
      'id   logit  probability  token',
      ' 2  3.0000        0.665  " 2!"',
    ])
    expect(last.stderr).toBe('the 3 most likely of 3 tokens; --json prints all logits\n')
    const all = await runMain(['logits', 'm', '--ids', '1,2', '--all'], libraries(rows, named))
    expect(all.stdout.split('\n').slice(0, 2)).toEqual([
      'position  id   logit  probability  token',
      '       0   2  2.0000        0.786  " 2!"',
    ])
  })
  it('leaves the tokens out where it has none, and warns of one that is damaged', async () => {
    const none = failing(new AwqError('NOT_FOUND', 'm has no tokenizer.json'))
    const last = await runMain(['logits', 'm', '--ids', '1,2'], libraries(rows, none))
    expect([last.code, last.stdout.split('\n').slice(0, 2)]).toEqual([
      0,
      ['id   logit  probability', ' 2  3.0000        0.665'],
    ])
    expect(last.stderr).not.toContain('tokenizer')
    const all = await runMain(['logits', 'm', '--ids', '1,2', '--all'], libraries(rows, none))
    expect(all.stdout.split('\n')[0]).toBe('position  id   logit  probability')
    const damaged = failing(new AwqError('INVALID_FILE', 'tokenizer.json is not valid JSON'))
    const warned = await runMain(['logits', 'm', '--ids', '1,2'], libraries(rows, damaged))
    expect([warned.code, warned.stdout]).toEqual([0, last.stdout])
    expect(warned.stderr).toContain('awq: warning: ids without their tokens: tokenizer.json is not valid JSON\n')
  })
  it('keeps infinities visible and refuses NaN', async () => {
    const infinite = await runMain(['logits', 'm', '--ids', '1', '--json'], libraries([[0, Number.NEGATIVE_INFINITY]]))
    expect(infinite.events()).toEqual([{ type: 'done', logits: [0, '-Infinity'] }])
    const broken = await runMain(['logits', 'm', '--ids', '1,2'], libraries([[0, Number.NaN]]))
    expect([broken.code, broken.stderr.includes('position 1'), broken.stdout]).toEqual([1, true, ''])
  })
})

describe('run', () => {
  it('streams text to stdout and figures to stderr', async () => {
    const fake = fakeModel()
    const library = runtime({ loadModel: async () => fake.model })
    const human = await runMain(['run', 'm', '--prompt', 'Hi', '--stop', 'END'], library)
    expect([human.code, human.stdout]).toEqual([0, 'Hello\n'])
    expect(human.stderr).toBe('7 prompt tokens, first token after 0.25 s, 2 tokens at 2.0 tok/s\n')
    expect(fake.asked[0]).toMatchObject({ prompt: { prompt: 'Hi' }, options: { temperature: 0, stop: ['END'] } })
    expect(fake.disposed()).toBe(1)
    const json = await runMain(['run', 'm', '--prompt', 'Hi', '--json'], library)
    expect(json.events()).toMatchObject([
      { type: 'token', text: 'Hel' },
      { type: 'token', text: 'lo' },
      { type: 'done', text: 'Hello', tokens: 2, promptTokens: 7, tokensPerSecond: 2 },
    ])
    expect(json.stderr).toBe('')
  })
  it('reads the prompt from stdin, and sends a conversation with --chat', async () => {
    const fake = fakeModel()
    const library = runtime({ loadModel: async () => fake.model })
    await runMain(['run', 'm', '--prompt', '-', '--chat', '--system', 'Be brief.'], library, { stdin: 'Grüße\n' })
    expect(fake.asked[0]?.prompt).toEqual({
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Grüße\n' },
      ],
    })
  })
  it('stops waiting for stdin', async () => {
    const fake = fakeContext({}, { stdin: new PassThrough() })
    setTimeout(() => fake.interrupt(), 5)
    expect(await main(['run', 'm', '--prompt', '-'], fake.context)).toBe(130)
  })
  it('frees the model when it is interrupted', async () => {
    const model = fakeModel({ beforePiece: () => fake.interrupt('SIGTERM') })
    const fake = fakeContext(runtime({ loadModel: async () => model.model }))
    const { code, stderr } = fake.outcome(await main(['run', 'm', '--prompt', 'Hi'], fake.context))
    expect([code, model.disposed()]).toEqual([130, 1])
    expect(stderr).toContain('awq: interrupted\n')
  })
})
