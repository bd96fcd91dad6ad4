import { describe, expect, it } from 'vitest'
import { fakeModel, runMain, runtime } from './fixtures/fakes.ts'
import { generationSummary } from './generation.ts'
import type { RuntimeLibrary } from './libraries.ts'

describe('the engine on the command line', () => {
  const loading = () => {
    const { model, asked } = fakeModel()
    const given: unknown[] = []
    const loadModel: RuntimeLibrary['loadModel'] = async (_, { signal, onProgress, onWarning, ...rest }) => {
      given.push(rest)
      onWarning?.('the native engine cannot be used: koffi is not installed')
      return model
    }
    return { ...runtime({ loadModel }), given, asked }
  }
  const args = ['run', 'm', '--prompt', 'p', '--device', 'webgpu', '--engine', 'native', '--threads', '3']

  it('reaches the library, and its warning the reader', async () => {
    const library = loading()
    const { stderr, code } = await runMain(args, library)
    expect(code).toBe(0)
    expect(stderr).toContain('awq: warning: the native engine cannot be used: koffi is not installed\n')
    expect(library.given).toEqual([{ device: 'webgpu', engine: 'native', threads: 3, accuracy: 'fast' }])
  })

  it('warns in an event with --json', async () => {
    const { events, stderr } = await runMain([...args, '--json'], loading())
    const message = 'the native engine cannot be used: koffi is not installed'
    expect(events()).toContainEqual({ type: 'warning', message })
    expect(stderr).toBe('')
  })

  it('passes --prompt-lookup on and reports its guesses', async () => {
    const library = loading()
    const { events } = await runMain([...args, '--prompt-lookup', '--json'], library)
    expect(library.asked[0]?.options).toMatchObject({ promptLookup: true })
    expect(events().at(-1)).toMatchObject({ type: 'done', draftedTokens: 0, acceptedTokens: 0 })
    const report = { text: '', tokens: 9, finishReason: 'eos', seconds: 1, promptTokens: 7, reusedTokens: 5 }
    expect(generationSummary({ ...report, draftedTokens: 6, acceptedTokens: 4 })).toBe(
      '7 prompt tokens, 5 of them known, 9 tokens, 4 of 6 guesses right',
    )
  })
})
