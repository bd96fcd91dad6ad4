import { PassThrough } from 'node:stream'
import { AwqError } from '@awq/tensor'
import { describe, expect, it } from 'vitest'
import { fakeContext, fakeModel, runMain } from './fixtures/fakes.ts'
import type { CompareRow, CoreLibrary, Inspection } from './libraries.ts'
import { main } from './main.ts'

const core = (library: Partial<CoreLibrary>) => ({ core: async () => library as CoreLibrary })
const config = {
  layers: 2,
  hiddenSize: 64,
  intermediateSize: 172,
  heads: 8,
  kvHeads: 4,
  headDim: 8,
  vocabSize: 512,
  contextLength: 512,
  tiedEmbeddings: true,
}
const quantizeDone = {
  output: 'out',
  method: 'awq',
  seconds: 200,
  peakRssBytes: 1.2e9,
  inputBytes: 269e6,
  outputBytes: 90e6,
}
const output = `/nonexistent/${'out'}`

describe('the command line', () => {
  it('prints help and version on stdout with exit code 0', async () => {
    for (const args of [['--help'], ['-h'], ['help']]) {
      const { code, stdout, stderr } = await runMain(args)
      expect([code, stderr]).toEqual([0, ''])
      for (const name of ['quantize', 'eval', 'logits', 'run', 'chat', 'compare', 'inspect'])
        expect(stdout).toContain(name)
    }
    const version = await runMain(['--version'])
    expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\S*\n$/)
  })
  it('has help of at most 80 columns for every command', async () => {
    for (const name of ['quantize', 'eval', 'logits', 'run', 'chat', 'compare', 'inspect']) {
      const help = await runMain([name, '--help'])
      expect(help.code).toBe(0)
      expect(help.stdout).toContain(`Usage: awq ${name} MODEL`)
      expect((await runMain(['help', name])).stdout).toBe(help.stdout)
      const prose = help.stdout.slice(0, help.stdout.indexOf('Examples:'))
      for (const line of prose.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80)
    }
  })
  it.each([
    [[], 'no command given'],
    [['quantise', 'm'], 'did you mean quantize?'],
    [['--threads', '2', 'run'], '--threads comes after the command'],
    [['quantize', 'm'], '--output is missing'],
    [['quantize', 'm', '-o', 'x', '--bits', '5'], '--bits must be 2, 3, 4 or 8'],
    [['quantize', 'm', '-o', 'x', '--head-bits', '3'], '--head-bits must be 4, 8 or 16'],
    [['quantize', 'm', '-o', 'x', '--samples', '0'], '--samples must be a positive whole number'],
    [['eval', 'm'], '--text is missing'],
    [['eval', 'm', '--text', 't', '--window', '1'], '--window must be'],
    [['eval', 'm', '--text', 't', '--accuracy', 'best'], '--accuracy must be exact or fast'],
    [['compare', 'm', '--text', 't', '--bits', '4,5'], '--bits must be 2, 3, 4 or 8, not "5"'],
    [['compare', 'm', '--text', 't', '--methods', 'awq,gguf'], '--methods must be'],
    [['logits', 'm', '--ids', '1,-2'], '--ids must be'],
    [['run', 'm', '--prompt', 'p', '--temperature', 'hot'], '--temperature must be'],
    [['run', 'm', '--prompt', 'p', '--system', 's'], '--system needs --chat'],
    [['inspect', 'm', '--device', 'tpu'], '--device must be cpu, cuda or webgpu'],
    [['inspect', 'm', '--threads', '2.5'], '--threads must be a positive whole number'],
  ])('%j is wrong usage', async (args, message) => {
    const { code, stdout, stderr } = await runMain(args)
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/^awq: [^\n]+\nusage: awq [^\n]+\n$/)
    expect(stderr).toContain(message)
  })
  it('reports wrong usage as an event with --json', async () => {
    const { code, events } = await runMain(['inspect', '--json'])
    expect(code).toBe(2)
    expect(events()).toEqual([{ type: 'error', code: 'USAGE', message: 'MODEL is missing' }])
  })
})

describe('failures', () => {
  const failing = (error: unknown) => core({ inspect: () => Promise.reject(error) })
  it('are one line on stderr and exit code 1', async () => {
    const { code, stdout, stderr } = await runMain(['inspect', 'm'], failing(new AwqError('CONFIG', 'odd\nmodel')))
    expect([code, stdout, stderr]).toEqual([1, '', 'awq: odd model\n'])
  })
  it('are the last event with --json', async () => {
    const { code, events, stderr } = await runMain(['inspect', 'm', '--json'], failing(new AwqError('CONFIG', 'odd')))
    expect([code, stderr]).toEqual([1, 'awq: odd\n'])
    expect(events()).toEqual([{ type: 'error', code: 'CONFIG', message: 'odd' }])
  })
  it('show the stack and the causes with --debug', async () => {
    const error = new AwqError('IO', 'outer', { cause: new Error('inner') })
    const { stderr } = await runMain(['inspect', 'm', '--debug'], failing(error))
    expect(stderr).toMatch(/awq: outer\n.*outer\n\s+at .*caused by Error: inner\n\s+at /s)
  })
  it('of writing to stdout are failures too, but a reader that left is none', async () => {
    const inspect = core({
      inspect: async () => ({
        kind: 'float',
        architecture: 'llama',
        config,
        parameters: 1,
        bytes: 4,
        tensors: [],
        scaleGroups: [],
      }),
    })
    const full = await runMain(['inspect', 'm'], inspect, { broken: 'ENOSPC' })
    expect(full.code).toBe(1)
    expect(full.stderr).toMatch(/^awq: [^\n]*(space|stdout)[^\n]*\n$/)
    const closed = await runMain(['inspect', 'm'], inspect, { broken: 'EPIPE' })
    expect([closed.code, closed.stderr]).toEqual([0, ''])
  })
})

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
  it('frees the model when it is interrupted', async () => {
    const model = fakeModel({ beforePiece: () => fake.interrupt('SIGTERM') })
    const fake = fakeContext({ runtime: async () => ({ loadModel: async () => model.model }) })
    const { code, stderr } = fake.outcome(await main(['run', 'm', '--prompt', 'Hi'], fake.context))
    expect([code, model.disposed()]).toEqual([130, 1])
    expect(stderr).toContain('awq: interrupted\n')
  })
})

describe('eval', () => {
  const libraries = (perplexity: number) => {
    const seen: Record<string, unknown>[] = []
    return {
      seen,
      ort: async () => ({ createEngine: async () => ({ dispose: () => {} }) as never }),
      evaluate: async () => ({
        evaluate: async (options: object) => {
          seen.push({ ...options })
          return { perplexity, tokens: 4096, windows: 2, window: 2048, kl: 0.121, top1: 0.8125, seconds: 3 }
        },
      }),
    }
  }
  it('prints the figures', async () => {
    const library = libraries(30.987)
    const { stdout } = await runMain(['eval', 'm', '--text', 't', '--against', 'f', '--max-windows', '2'], library)
    expect(stdout).toContain('perplexity  30.99\n')
    expect(stdout).toContain('KL          0.121 nats per token\n')
    expect(stdout).toContain('top-1       81.3%')
    expect(library.seen[0]).toMatchObject({ window: 2048, maxWindows: 2, accuracy: 'exact', text: 'some text' })
    const json = await runMain(['eval', 'm', '--text', 't', '--json'], libraries(30.987))
    expect(json.events().at(-1)).toMatchObject({
      type: 'done',
      perplexity: 30.987,
      tokens: 4096,
      kl: 0.121,
      top1: 0.8125,
    })
  })
  it('fails on a perplexity that is no number', async () => {
    const { code, events } = await runMain(['eval', 'm', '--text', 't', '--json'], libraries(Number.NaN))
    expect([code, events().at(-1)?.code]).toEqual([1, 'NUMERIC'])
  })
})

describe('compare', () => {
  const row = (method: string, rest: Partial<CompareRow> = {}): CompareRow => ({
    method,
    bits: 4,
    storedBits: 4,
    bitsPerWeight: 4.63,
    perplexity: 38.291,
    kl: 0.1731,
    top1: 0.812,
    seconds: 203,
    bytes: 90e6,
    ...rest,
  })
  const rows: CompareRow[] = [
    { method: 'float', bits: 16, storedBits: 16, bitsPerWeight: 16, perplexity: 30.99, seconds: 0, bytes: 269e6 },
    row('awq-gptq', { perplexity: 350034.2, seconds: 7500, kl: 12.34 }),
    row('rtn', { bits: 3 }),
  ]
  const library = core({
    compare: async ({ onRow }) => {
      rows.forEach((each) => {
        onRow?.(each)
      })
      return rows
    },
  })
  it('prints a table of at most 80 columns', async () => {
    const { stdout } = await runMain(['compare', 'm', '--text', 't', '--bits', '4,3'], library)
    const lines = stdout.trimEnd().split('\n')
    expect(lines).toHaveLength(4)
    expect(lines[0]).toMatch(/^method +bits +stored +bits\/w +perplexity +KL +top-1 +time +size$/)
    expect(lines[1]).toMatch(/^float +16 +16 +16\.00 +30\.99 +- +- +- +269 MB$/)
    expect(new Set(lines.map((line) => line.length)).size).toBe(1)
    expect(lines[0]?.length).toBeLessThanOrEqual(80)
  })
  it('sends a row event each, then all of them', async () => {
    const { events } = await runMain(['compare', 'm', '--text', 't', '--json'], library)
    expect(events()).toEqual([...rows.map((each) => ({ ...each, type: 'row' })), { type: 'done', rows }])
  })
})

describe('chat', () => {
  const chat = async (stdin: string, model = fakeModel(), ...args: string[]) => {
    const library = { runtime: async () => ({ loadModel: async () => model.model }) }
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
    const fake = fakeContext({ runtime: async () => ({ loadModel: async () => model.model }) }, { stdin: 'Hi\nYou\n' })
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
    const fake = fakeContext({ runtime: async () => ({ loadModel: async () => model.model }) }, { stdin })
    const done = main(['chat', 'm'], fake.context)
    for (let i = 0; i < times; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10))
      fake.interrupt(name)
    }
    expect([await done, model.disposed(), fake.listeners()]).toEqual([130, 1, 0])
  })
})

describe('inspect', () => {
  const layer = (index: number): Inspection['tensors'] =>
    ['codes', 'scales', 'zeroPoints'].map((part) => ({
      name: `model.layers.${index}.mlp.up_proj.weight.${part}`,
      dtype: part === 'scales' ? 'F16' : 'U8',
      shape: [172, 2, 16],
      bytes: 500,
    }))
  const matrix = { bits: 4, groupSize: 32, symmetric: false, shape: [172, 64] }
  const inspection: Inspection = {
    kind: 'quantized',
    architecture: 'llama',
    config,
    parameters: 6000,
    bytes: 3004,
    tensors: [...layer(0), ...layer(1), { name: 'model.norm.codes', dtype: 'F32', shape: [1], bytes: 4 }],
    scaleGroups: [0, 1].map((index) => ({
      name: `model.layers.${index}: mlp.up_proj`,
      kind: 'linear',
      producer: `model.layers.${index}.mlp.up_proj`,
      consumers: [`model.layers.${index}.mlp.down_proj`],
    })),
    manifest: {
      method: 'awq',
      bits: 4,
      groupSize: 32,
      symmetric: false,
      matrices: { 'model.layers.0.mlp.up_proj.weight': matrix, 'model.layers.1.mlp.up_proj.weight': matrix },
      calibration: { source: 'bundled', samples: 8, length: 128 },
    },
  }
  const library = core({ inspect: async () => inspection })
  it('joins the tensors of a matrix, and layers that are alike', async () => {
    const { stdout } = await runMain(['inspect', 'm'], library)
    expect(stdout).toContain('  attention     8 heads of 8, 4 of keys and values\n')
    expect(stdout).toContain('  size          3.00 kB, 4.01 bits per parameter\n')
    expect(stdout).toMatch(
      /^model\.layers\.0-1\.mlp\.up_proj\.weight {6}2 {2}4 bits, group 32 {2}\[172, 64\] {2}3\.00 kB$/m,
    )
    expect(stdout).toMatch(/^model\.norm\.codes +1 {2}F32 +\[1\] +4 B$/m)
    expect(stdout).toMatch(/^model\.layers\.0-1\.mlp\.up_proj +2 {2}linear {2}mlp\.down_proj$/m)
  })
  it('lists each with --all, and everything with --json', async () => {
    const { stdout } = await runMain(['inspect', 'm', '--all'], library)
    expect(stdout).toMatch(/^model\.layers\.1\.mlp\.up_proj\.weight +1 /m)
    expect((await runMain(['inspect', 'm', '--json'], library)).events()).toEqual([{ type: 'done', ...inspection }])
  })
})
