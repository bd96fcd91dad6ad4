import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { awq } from './fixtures/spawn.ts'

const model = fileURLToPath(new URL('../../../examples/models/stories260k', import.meta.url))
const quick = ['--tokens', '8', '--repeat', '1', '--threads', '2']

interface Done {
  type: string
  engine: string
  threads: number
  decode: { context: number; tokensPerSecond: number }[]
  prefill: { tokens: number; tokensPerSecond: number }
  loadSeconds: number
  peakRssBytes: number
  weightBytesPerToken: number
  memoryReadBytesPerSecond: number | null
  skippedContexts: number[]
}

describe('awq bench on stories260k', { timeout: 120_000 }, () => {
  it('gives its figures as JSON, of the contexts that fit', async () => {
    const { code, stderr, events } = await awq(['bench', model, ...quick, '--json'])
    expect([code, stderr]).toEqual([0, ''])
    const done = events.at(-1) as unknown as Done
    expect(Object.keys(done).slice(0, 9)).toEqual([
      'type',
      'engine',
      'threads',
      'decode',
      'prefill',
      'loadSeconds',
      'peakRssBytes',
      'weightBytesPerToken',
      'memoryReadBytesPerSecond',
    ])
    expect(done).toMatchObject({ type: 'done', threads: 2, skippedContexts: [512, 1500, 4000] })
    expect(['native', 'onnxruntime-node']).toContain(done.engine)
    expect(done.decode.map(({ context }) => context)).toEqual([16])
    expect(Object.keys(done.decode[0]!)).toEqual(['context', 'tokensPerSecond'])
    expect(Object.keys(done.prefill)).toEqual(['tokens', 'tokensPerSecond'])
    expect(done.prefill.tokens).toBe(512)
    for (const rate of [done.decode[0]!.tokensPerSecond, done.prefill.tokensPerSecond]) expect(rate).toBeGreaterThan(1)
    expect(done.loadSeconds).toBeGreaterThan(0)
    expect(done.peakRssBytes).toBeGreaterThan(2 ** 24)
    // 260 thousand float32 weights, and the row of the tied table that is looked up.
    expect(done.weightBytesPerToken).toBe(4 * (260_032 + 64))
    expect(done.memoryReadBytesPerSecond).toBeGreaterThan(1e8)
    expect(
      events.some(({ type, message }) => type === 'warning' && /512, 1500, 4000 left out/.test(`${message}`)),
    ).toBe(true)
  })

  it('prints a table, for the longest context that fits when none does', async () => {
    const args = ['bench', model, ...quick, '--contexts', '505', '--no-memory-read', '--engine', 'onnxruntime-node']
    const { code, stdout, stderr } = await awq(args)
    expect(code, stderr).toBe(0)
    expect(stdout).toMatch(/^onnxruntime-node on cpu, 2 threads, exact products, (plain|fused) attention\n/)
    expect(stdout).toMatch(/\ncontext +tok\/s +ms\/token +weights read\n +504 +[\d.]+ +[\d.]+ +\S+ .B\/s\n/)
    expect(stderr).toContain('context 505 left out')
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  })

  it('refuses what it cannot measure', async () => {
    expect((await awq(['bench', model, '--contexts', '0'])).code).toBe(2)
    expect((await awq(['bench', model, '--attention', 'sparse'])).code).toBe(2)
    expect((await awq(['bench', model, '--engine', 'other'])).stderr).toMatch(/native or onnxruntime-node/)
  })
})
