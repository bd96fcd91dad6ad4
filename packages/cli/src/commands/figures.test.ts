import { describe, expect, it } from 'vitest'
import { config, core, runMain } from '../fixtures/fakes.ts'
import type { CompareRow, Inspection } from '../libraries.ts'

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
        evaluatePrompts: async (options: object) => {
          seen.push({ ...options })
          return { kl: 0.2, top1: 0.5, firstKl: 0.4, firstTop1: 1, prompts: 2, places: 40, tokens: 900, seconds: 3 }
        },
      }),
    }
  }
  it('compares on prompts with images', async () => {
    const library = libraries(30.987)
    const image = async () => ({ readImage: async () => ({ width: 1, height: 1, data: new Uint8Array(3) }) })
    const args = ['eval', 'm', '--prompts', 'p', '--against', 'f', '--max-prompts', '2']
    const { stdout } = await runMain(args, { ...library, image })
    expect(stdout).toContain('KL          0.200 nats per token behind an image\n')
    expect(stdout).toContain('answers     KL 0.400, top-1 100.0% at their first token\n')
    expect(library.seen[0]).toMatchObject({ maxPrompts: 2, accuracy: 'exact' })
    const missing = await runMain(['eval', 'm', '--prompts', 'p'], library)
    expect(missing.stderr).toMatch(/add --against/)
    const both = await runMain(['eval', 'm', '--prompts', 'p', '--text', 't'], library)
    expect(both.stderr).toMatch(/exclude each other/)
  })
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
    format: 'awq',
    architecture: 'llama',
    config,
    parameters: 6000,
    bytes: 3004,
    tensors: [...layer(0), ...layer(1), { name: 'model.norm.codes', dtype: 'F32', shape: [1], bytes: 4 }],
    scaleGroups: [0, 1].map((index) => ({
      name: `model.layers.${index}: mlp.up_proj`,
      kind: 'linear',
      producer: `model.layers.${index}.mlp.up_proj`,
      consumers: ['down_proj', 'gate'].map((name) => `model.layers.${index}.mlp.${name}`),
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
      /^model\.layers\.0-1\n {2}mlp\.up_proj\.weight {6}2 {2}4 bits, group 32 {2}\[172, 64\] {2}3\.00 kB$/m,
    )
    expect(stdout).toMatch(/^model\.norm\.codes +1 {2}F32 +\[1\] +4 B$/m)
    expect(stdout).toMatch(/^model\.layers\.0-1\n {2}mlp\.up_proj +2 {2}linear {2}mlp\.{down_proj,gate}$/m)
  })
  it('lists each with --all, and everything with --json', async () => {
    const { stdout } = await runMain(['inspect', 'm', '--all'], library)
    expect(stdout).toMatch(/^model\.layers\.1\n {2}mlp\.up_proj\.weight +1 /m)
    expect((await runMain(['inspect', 'm', '--json'], library)).events()).toEqual([{ type: 'done', ...inspection }])
  })
})
