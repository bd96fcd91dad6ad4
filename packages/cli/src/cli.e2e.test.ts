import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { awq, startAwq } from './fixtures/spawn.ts'

const model = fileURLToPath(new URL('../../../examples/models/stories260k', import.meta.url))
const bin = fileURLToPath(new URL('../bin/awq.mjs', import.meta.url))
const built = fileURLToPath(new URL('../dist/index.js', import.meta.url))
const loadedPrinter = new URL('./fixtures/print-loaded.mjs', import.meta.url).href
const quick = ['--group-size', '32', '--samples', '4', '--length', '64', '--threads', '1']
let folder = ''
let quantized = ''
let text = ''

/** Names and hashes of the files of a folder. */
const digest = async (path: string): Promise<Record<string, string>> => {
  const names = (await readdir(path)).sort()
  const hash = async (name: string): Promise<string> =>
    createHash('sha256')
      .update(await readFile(join(path, name)))
      .digest('hex')
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await hash(name)] as const)))
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'awq-cli-'))
  quantized = join(folder, 'models', 'quantized')
  text = join(folder, 'text.txt')
  const sentence = 'Once upon a time there was a little dog. He liked to run in the park with Lily and her red ball. '
  await writeFile(text, sentence.repeat(40))
  // The output's parent is made too.
  const made = await awq(['quantize', model, '-o', quantized, ...quick, '--json'])
  expect(made.stderr).toBe('')
  expect(made.code).toBe(0)
  expect(made.events.at(-1)).toMatchObject({ type: 'done', method: 'awq-gptq', output: quantized })
  for (const field of ['seconds', 'peakRssBytes', 'inputBytes', 'outputBytes']) {
    expect(made.events.at(-1)?.[field], field).toBeGreaterThan(0)
  }
}, 120_000)

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

describe('awq on stories260k', { timeout: 120_000 }, () => {
  it('evaluates the float and the quantized model', async () => {
    const float = await awq(['eval', model, '--text', text, '--window', '128', '--max-windows', '2', '--json'])
    const done = float.events.at(-1) as { type: string; perplexity: number; tokens: number }
    expect(done).toMatchObject({ type: 'done', tokens: 256 })
    expect(done.perplexity).toBeGreaterThan(1)
    expect(done).not.toHaveProperty('kl')
    const args = ['eval', quantized, '--against', model, '--text', text, '--window', '128', '--max-windows', '2']
    const against = (await awq([...args, '--json'])).events.at(-1) as Record<'perplexity' | 'kl' | 'top1', number>
    expect(Math.abs(Math.log(against.perplexity / done.perplexity))).toBeLessThan(0.5)
    expect(against.kl).toBeGreaterThan(0)
    expect(against.kl).toBeLessThan(0.5)
    expect(against.top1).toBeGreaterThan(0.5)
    expect((await awq(args)).stdout).toMatch(/^perplexity {2}\d.*\nKL .* nats per token\ntop-1 .*%.*\ntext .*\n$/)
  })

  it('prints logits of the last or of all positions', async () => {
    const last = (await awq(['logits', model, '--ids', '1,403,2', '--json'])).events.at(-1)?.logits as number[]
    const all = (await awq(['logits', model, '--ids', '1,403,2', '--all', '--json'])).events.at(-1)
      ?.logits as number[][]
    expect(last).toHaveLength(512)
    expect(all.map((row) => row.length)).toEqual([512, 512, 512])
    all[2]?.forEach((value, id) => {
      expect(value).toBeCloseTo(last[id] ?? Number.NaN, 3)
    })
    const beyond = await awq(['logits', model, '--ids', '1,99999'])
    expect([beyond.code, beyond.stdout]).toEqual([1, ''])
    expect(beyond.stderr).toMatch(/awq: [^\n]*99999[^\n]*\n$/)
  })

  it('writes the same text twice, and keeps figures off stdout', async () => {
    const args = ['run', quantized, '--prompt', 'Once upon a time', '--max-new-tokens', '12']
    const human = await awq(args)
    expect(human.code).toBe(0)
    expect(human.stdout.length).toBeGreaterThan(10)
    expect(human.stderr).toMatch(/prompt tokens, first token after .* 12 tokens/)
    const { events } = await awq([...args, '--json'])
    expect(events.at(-1)).toMatchObject({ type: 'done', tokens: 12, text: human.stdout.slice(0, -1) })
    const pieces = events.filter(({ type }) => type === 'token').map((event) => event.text)
    expect(pieces.join('')).toBe(human.stdout.slice(0, -1))
  })

  it('compares methods in a table', async () => {
    const args = ['compare', model, '--text', text, '--calibration', text, '--methods', 'rtn,awq', '--bits', '4']
    const { code, stdout, stderr } = await awq([...args, ...quick, '--window', '128', '--max-windows', '1'])
    expect(code, stderr).toBe(0)
    const methods = stdout.split('\n').map((line) => line.split(' ')[0])
    expect(methods).toEqual(['method', 'float', 'rtn', 'awq', ''])
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  })

  it('inspects both kinds', async () => {
    expect((await awq(['inspect', model, '--json'])).events.at(-1)).toMatchObject({ type: 'done', kind: 'float' })
    const human = await awq(['inspect', quantized])
    expect(human.stdout).toMatch(/^model\.layers\.0-4\n(?: .*\n)* {2}mlp\.up_proj\.weight +5 +4 bits, group 32/m)
    for (const line of human.stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  })

  it('says in one line what is wrong', async () => {
    await writeFile(join(folder, 'empty.txt'), '')
    await writeFile(join(folder, 'binary.txt'), Uint8Array.of(80, 75, 3, 4, 0, 0, 0, 255))
    await writeFile(join(folder, 'short.txt'), 'too short')
    let count = 0
    const to = () => ['-o', join(folder, `never${count++}`)]
    const failures: [string[], RegExp][] = [
      [['inspect', join(folder, 'nowhere')], /nowhere/],
      [['inspect', folder], /config\.json/],
      [['eval', model, '--text', join(folder, 'nowhere.txt')], /nowhere\.txt/],
      [['quantize', model, ...to(), '--calibration', join(folder, 'empty.txt')], /empty/],
      [['quantize', model, ...to(), '--calibration', join(folder, 'binary.txt')], /binary/],
      [['quantize', model, ...to(), '--calibration', join(folder, 'short.txt')], /tokens/],
      [['quantize', model, '-o', quantized], /not empty/],
      [['quantize', model, '-o', text], /text\.txt is a file; give -o a folder/],
      [['quantize', quantized, ...to()], /quantized already/],
      [['chat', model], /chat template/],
    ]
    const outcomes = await Promise.all(failures.map(([args]) => awq([...args, '--json'])))
    outcomes.forEach(({ code, stderr, events }, index) => {
      const [args, message] = failures[index] ?? [[], /never/]
      expect(code, args.join(' ')).toBe(1)
      expect(stderr).toMatch(/^awq: [^\n]+\n$/)
      expect(stderr).toMatch(message)
      expect(stderr).not.toContain('not foreseen')
      expect(events.at(-1)).toMatchObject({ type: 'error', message: stderr.slice(5, -1) })
    })
    expect((await readdir(folder)).filter((name) => name.startsWith('never'))).toEqual([])
  })

  it('stops at Ctrl-C with 130, and --resume gives the same bytes', async () => {
    const output = join(folder, 'interrupted')
    const args = ['quantize', model, '-o', output, ...quick, '--json']
    const { child, done } = startAwq(args)
    child.stdout.on('data', (chunk: string) => {
      if (chunk.includes('"layer":1,')) child.kill('SIGINT')
    })
    const stopped = await done
    expect(stopped.code).toBe(130)
    expect(stopped.events.at(-1)).toEqual({ type: 'error', code: 'INTERRUPTED', message: 'interrupted' })
    expect(await readdir(output)).not.toContain('quantization.json')
    expect((await awq(['inspect', output])).stderr).toMatch(/unfinished quantization.*--resume/)
    const resumed = await awq([...args, '--resume'])
    expect(resumed.code, resumed.stderr).toBe(0)
    expect(resumed.events.at(-1)).toMatchObject({ type: 'done' })
    expect(resumed.events.some((event) => event.type === 'layer' && event.layer === 0)).toBe(false)
    expect(await digest(output)).toEqual(await digest(quantized))
  })

  it('survives a reader that leaves', async () => {
    const { child, done } = startAwq(['run', model, '--prompt', 'Once', '--max-new-tokens', '400', '--json'])
    child.stdout.once('data', () => child.stdout.destroy())
    const { code, stderr } = await done
    expect([code, stderr]).toEqual([0, ''])
  })

  // A fresh clone has no build until npm ci has made one.
  it.skipIf(!existsSync(built))('is what bin/awq.mjs runs', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [bin, '--version'])
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\S*\n$/)
  })

  it.each([['--help'], ['logits --help'], ['logits'], ['--version']])('starts light: awq %s', async (args) => {
    const { stderr } = await awq(args.split(' '), '', ['--import', loadedPrinter])
    const loaded = stderr.split('\n').filter((line) => line.startsWith('file:'))
    const rest = loaded.filter((url) => !/\/packages\/(cli|tensor)\/src\/[^/]+\.ts|\/cli\/src\/commands\//.test(url))
    expect(rest.filter((url) => !url.includes('/cli/src/fixtures/'))).toEqual([])
    expect(loaded.some((url) => url.endsWith('/cli/src/main.ts'))).toBe(true)
  })

  it('ends with 2 on wrong usage', async () => {
    expect((await awq(['quantise', model])).code).toBe(2)
    expect((await awq(['quantize', model, '-o', 'x', '--bits', '4x'])).code).toBe(2)
  })
})
