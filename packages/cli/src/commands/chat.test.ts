import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { fakeContext, fakeModel, runMain, runtime } from '../fixtures/fakes.ts'
import { main } from '../main.ts'

describe('chat', () => {
  const chat = async (stdin: string, model = fakeModel(), ...args: string[]) => {
    const library = runtime({ loadModel: async () => model.model })
    return { model, outcome: await runMain(['chat', 'm', ...args], library, { stdin }) }
  }
  it('answers lines of stdin with the conversation so far', async () => {
    const { model, outcome } = await chat('Hi\n\nAgain\n/reset\nNew\n/exit\nnever read\n', fakeModel(), '--system', 'S')
    expect(outcome.code).toBe(0)
    expect(outcome.stdout).toBe('Hello\nHello\nHello\n')
    const contents = model.asked.map(({ prompt }) =>
      (prompt as { messages: { content: string }[] }).messages.map(({ content }) => content),
    )
    expect(contents).toEqual([
      ['S', 'Hi'],
      ['S', 'Hi', 'Hello', 'Again'],
      ['S', 'New'],
    ])
    expect(model.disposed()).toBe(1)
  })
  it('sends events with --json', async () => {
    const { outcome } = await chat('Hi\n', fakeModel(), '--json')
    expect(outcome.events().map(({ type }) => type)).toEqual(['token', 'token', 'message', 'done'])
  })
  it('refuses a model without a chat template', async () => {
    const { outcome } = await chat('Hi\n', fakeModel({ chatTemplate: null }))
    expect(outcome.code).toBe(1)
    expect(outcome.stderr).toMatch(/no chat template; use awq run/)
  })
  it('stops an answer at the first Ctrl-C and goes on', async () => {
    const model = fakeModel({
      pieces: ['a', 'b', 'c', 'd'],
      beforePiece: (index) => {
        if (index === 2) fake.interrupt()
      },
    })
    const fake = fakeContext(runtime({ loadModel: async () => model.model }), { stdin: 'Hi\nYou\n' })
    const { code, stdout, stderr } = fake.outcome(await main(['chat', 'm'], fake.context))
    expect([code, stdout, stderr]).toEqual([0, 'ab\nab\n', '(stopped)\n(stopped)\n'])
    expect(model.asked[1]?.prompt).toMatchObject({ messages: [{}, { role: 'assistant', content: 'ab' }, {}] })
    expect([model.disposed(), fake.listeners()]).toEqual([1, 0])
  })
  it.each([
    ['SIGINT', 2],
    ['SIGTERM', 1],
  ] as const)('ends while it waits for a line, by %s', async (name, times) => {
    const model = fakeModel()
    const stdin = new PassThrough()
    const fake = fakeContext(runtime({ loadModel: async () => model.model }), { stdin })
    const done = main(['chat', 'm'], fake.context)
    for (let i = 0; i < times; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10))
      fake.interrupt(name)
    }
    expect([await done, model.disposed(), fake.listeners()]).toEqual([130, 1, 0])
  })
})
