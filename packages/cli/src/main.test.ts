import { AwqError } from '@awq/tensor'
import { describe, expect, it } from 'vitest'
import { config, core, runMain } from './fixtures/fakes.ts'

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
      for (const line of help.stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80)
    }
    for (const line of (await runMain(['--help'])).stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80)
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
    [['inspect', 'm', '--device', 'tpu'], '--device must be cpu, cuda, webgpu, coreml or directml'],
    [['bench', 'm', '--engine', 'tvm'], '--engine must be native or onnxruntime-node'],
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
        format: 'float',
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
