import { describe, expect, it } from 'vitest'
import { core, fakeContext, runMain } from '../fixtures/fakes.ts'
import { main } from '../main.ts'

const quantizeDone = {
  output: 'out',
  method: 'awq',
  seconds: 200,
  peakRssBytes: 1.2e9,
  inputBytes: 269e6,
  outputBytes: 90e6,
}
/** A folder that is not there. */
const output = '/nonexistent/out'

describe('quantize', () => {
  it('passes checked options and prints the result', async () => {
    let seen: unknown
    const library = core({
      quantize: async (options) => {
        seen = options
        options.onProgress?.({ type: 'warning', message: 'little text' })
        return quantizeDone
      },
    })
    const args = ['quantize', 'm', '-o', output, '--bits', '3', '--group-size', '-1', '--symmetric', '--seed', '7']
    const human = await runMain(args, library)
    expect(seen).toMatchObject({ bits: 3, groupSize: -1, symmetric: true, seed: 7, method: 'awq', samples: 128 })
    expect(seen).not.toHaveProperty('calibration')
    expect(human.code).toBe(0)
    expect(human.stdout).toContain('269 MB -> 90.0 MB (33.5%)')
    expect(human.stderr).toBe('awq: warning: little text\n')
    const json = await runMain([...args, '--json'], library)
    expect(json.events()).toEqual([
      { type: 'warning', message: 'little text' },
      { ...quantizeDone, type: 'done' },
    ])
  })
  it('stops at Ctrl-C, says how to go on without the token, and the second ends at once', async () => {
    const fake = fakeContext(
      core({
        quantize: ({ signal }) =>
          new Promise((_, reject) => {
            signal?.addEventListener('abort', () => setImmediate(() => reject(signal.reason)))
            setImmediate(() => {
              fake.interrupt()
              fake.interrupt()
            })
          }),
      }),
    )
    const args = ['quantize', 'my model', '-o', output, '--token', 'hf_secret', '--bits', '3']
    const { code, stderr, stdout } = fake.outcome(await main(args, fake.context))
    expect(code).toBe(130)
    expect(fake.exits).toEqual([130])
    expect(fake.listeners()).toBe(0)
    expect(stdout).toBe('')
    expect(stderr).toContain(`continue with: awq quantize 'my model' -o ${output} --bits 3 --resume\n`)
    expect(stderr).not.toContain('hf_secret')
    expect(stderr.endsWith('awq: interrupted\n')).toBe(true)
  })
  it('goes on when the reader of stdout leaves', async () => {
    const library = core({
      quantize: async ({ onProgress, signal }) => {
        onProgress?.({ type: 'stage', stage: 'embed' })
        await new Promise((resolve) => setTimeout(resolve, 5))
        signal?.throwIfAborted()
        return quantizeDone
      },
    })
    const { code } = await runMain(['quantize', 'm', '-o', output, '--json'], library, { broken: 'EPIPE' })
    expect(code).toBe(0)
  })
})
