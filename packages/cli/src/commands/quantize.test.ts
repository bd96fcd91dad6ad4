import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryWriter } from '@awq/formats'
import { memoryFolder } from '@awq/tensor'
import { describe, expect, it } from 'vitest'
import { core, fakeContext, runMain } from '../fixtures/fakes.ts'
import { main } from '../main.ts'

const quantizeDone = {
  output: 'out',
  method: 'awq',
  seconds: 200,
  stages: [
    { stage: 'statistics', seconds: 150 },
    { stage: 'scale', seconds: 49.5 },
    { stage: 'other', seconds: 0.5 },
  ],
  peakRssBytes: 1.2e9,
  memory: {
    peakRssBytes: 1.2e9,
    boundBytes: 634e6,
    baseBytes: 262e6,
    blockBytes: 14.2e6,
    stackedBytes: 42.5e6,
    gramBytes: 13.4e6,
    activationBytes: 302e6,
    driftBytes: 0,
    visionBytes: 0,
    planBytes: 0,
  },
  inputBytes: 269e6,
  outputBytes: 90e6,
  layers: 30,
  resumedLayers: 0,
}
/** A folder that is not there. */
const output = '/nonexistent/out'

describe('quantize', () => {
  it('takes 8 bits for smoothquant when none are asked for, and a strength', async () => {
    const seen: object[] = []
    const library = core({
      quantize: async (options) => {
        seen.push(options)
        return quantizeDone
      },
    })
    const args = ['quantize', 'm', '-o', output, '--method']
    await runMain([...args, 'smoothquant', '--smooth-alpha', '0.7'], library)
    await runMain([...args, 'smoothquant', '--bits', '4'], library)
    await runMain([...args, 'smoothquant-awq', '--objective', 'int8-activations'], library)
    expect(seen).toMatchObject([
      { method: 'smoothquant', bits: 8, smoothAlpha: 0.7 },
      { method: 'smoothquant', bits: 4 },
      { method: 'smoothquant-awq', bits: 4, objective: 'int8-activations' },
    ])
    const wrong = await runMain([...args, 'smoothquant', '--smooth-alpha', '1.5'], library)
    expect(wrong.stderr).toContain('--smooth-alpha must be a number from 0 to 1, not "1.5"')
  })

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
    expect(seen).toMatchObject({ bits: 3, groupSize: -1, symmetric: true, seed: 7, method: 'awq-gptq', samples: 128 })
    expect(seen).not.toHaveProperty('calibration')
    expect(human.code).toBe(0)
    expect(human.stdout).toContain('269 MB of weights -> 90.0 MB on disk (33.5%)')
    expect(human.stdout).toContain('time  3m 20s: statistics 2m 30s, scale 50 s\n')
    expect(human.stdout).toContain('memory  peak 1.20 GB, expected at most 634 MB\n')
    expect(human.stderr).toBe('awq: warning: little text\n')
    const json = await runMain([...args, '--json'], library)
    expect(json.events()).toEqual([
      { type: 'warning', message: 'little text' },
      { ...quantizeDone, type: 'done' },
    ])
  })
  it('passes which input channels stay float', async () => {
    const seen: unknown[] = []
    const library = core({
      quantize: async (options) => {
        seen.push(options)
        return quantizeDone
      },
    })
    const args = ['quantize', 'm', '-o', output]
    await runMain(args, library)
    await runMain([...args, '--keep-salient', '0.01', '--salient-by', 'random'], library)
    expect(seen[0]).not.toHaveProperty('keepSalient')
    expect(seen[1]).toMatchObject({ keepSalient: 0.01, salientBy: 'random' })
    const wrong = await runMain([...args, '--keep-salient', '2'], library)
    expect(wrong.code).toBe(2)
    expect(wrong.stderr).toContain('--keep-salient must be a number from 0 to 1, not "2"')
    expect((await runMain([...args, '--salient-by', 'size'], library)).stderr).toContain('activation, weight or random')
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
  it('refuses an output that is a file, or lies in one, in one line', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'awq-cli-output-'))
    const file = join(folder, 'file')
    await writeFile(file, 'mine')
    for (const [wrong, message] of [
      [file, `${file} is a file; give -o a folder`],
      [`${file}/`, `${file} is a file; give -o a folder`],
      [join(file, 'a', 'b'), `${file} is a file and can not hold ${join(file, 'a', 'b')}; give -o a folder`],
    ] as const) {
      const { code, stdout, stderr } = await runMain(['quantize', 'm', '-o', wrong])
      expect([code, stdout, stderr]).toEqual([1, '', `awq: ${message}\n`])
    }
    expect(await readFile(file, 'utf8')).toBe('mine')
    await rm(folder, { recursive: true })
  })
  it('says what an output holds that cannot be written', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'awq-cli-output-'))
    await writeFile(join(folder, 'quantization.json'), '{}')
    const again = await runMain(['quantize', 'm', '-o', folder])
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('is not empty')])
    const resumed = await runMain(['quantize', 'm', '-o', folder, '--resume'])
    expect([resumed.code, resumed.stderr]).toEqual([
      1,
      expect.stringContaining('is finished, there is nothing to resume'),
    ])
    await rm(folder, { recursive: true })
  })
  it.each([
    [{}, 'awq logits /nonexistent/out --ids 1,2,3'],
    [{ 'tokenizer.json': '' }, 'awq run /nonexistent/out --prompt "Once upon a time"'],
    [{ 'tokenizer.json': '', 'tokenizer_config.json': '{"chat_template":"x"}' }, 'awq chat /nonexistent/out'],
    [{ 'tokenizer.json': '', 'chat_template.jinja': 'x' }, 'awq chat /nonexistent/out'],
  ])('suggests what the model can do: %j', async (files, command) => {
    const library = {
      ...core({ quantize: async () => quantizeDone }),
      formatFolders: async () => ({
        openModelFolder: async () => memoryFolder(files),
        openFolderWriter: async () => memoryWriter(),
      }),
    }
    const { stdout } = await runMain(['quantize', 'm', '-o', output], library)
    expect(stdout.endsWith(`\nTry: ${command}\n`)).toBe(true)
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
