import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { fakeContext, fakeModel, runMain } from '../fixtures/fakes.ts'
import { main } from '../main.ts'

describe('logits', () => {
  const runtime = (logits: number[][]) => ({
    runtime: async () => ({ loadModel: async () => fakeModel({ logits }).model }),
  })
  it('prints the last position, or all of them', async () => {
    const rows = [
      [0.5, -1, 2],
      [1, 2, 3],
    ]
    const last = await runMain(['logits', 'm', '--ids', '1,2', '--json'], runtime(rows))
    expect(last.events()).toEqual([{ type: 'done', logits: [1, 2, 3] }])
    const all = await runMain(['logits', 'm', '--ids', '1,2', '--all', '--json'], runtime(rows))
    expect(all.events()).toEqual([{ type: 'done', logits: rows }])
    const human = await runMain(['logits', 'm', '--ids', '1,2'], runtime(rows))
    expect(human.stdout.split('\n').slice(0, 2)).toEqual([
      'id   logit  probability  token',
      ' 2  3.0000        0.665  "<2>"',
    ])
  })
  it('keeps infinities visible and refuses NaN', async () => {
    const infinite = await runMain(['logits', 'm', '--ids', '1', '--json'], runtime([[0, Number.NEGATIVE_INFINITY]]))
    expect(infinite.events()).toEqual([{ type: 'done', logits: [0, '-Infinity'] }])
    const broken = await runMain(['logits', 'm', '--ids', '1'], runtime([[0, Number.NaN]]))
    expect([broken.code, broken.stderr.includes('position 0')]).toEqual([1, true])
  })
})

describe('run', () => {
  it('streams text to stdout and figures to stderr', async () => {
    const fake = fakeModel()
    const library = { runtime: async () => ({ loadModel: async () => fake.model }) }
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
    const library = { runtime: async () => ({ loadModel: async () => fake.model }) }
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
    const fake = fakeContext({ runtime: async () => ({ loadModel: async () => model.model }) })
    const { code, stderr } = fake.outcome(await main(['run', 'm', '--prompt', 'Hi'], fake.context))
    expect([code, model.disposed()]).toEqual([130, 1])
    expect(stderr).toContain('awq: interrupted\n')
  })
})
