import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runMain } from './fixtures/fakes.ts'
import { awq } from './fixtures/spawn.ts'
import { nodeLibraries } from './node-libraries.ts'

// Tiny random checkpoints without tokenizer files, each with the logits that transformers computed.
const modelsPackage = createRequire(import.meta.url).resolve('@awq/models/package.json')
const fixtures = join(dirname(modelsPackage), 'src/fixtures')
const entries = await readdir(fixtures, { withFileTypes: true })
const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)

let scratch = ''
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'awq-cli-logits-'))
})
afterAll(() => rm(scratch, { recursive: true, force: true }))

const readGolden = async (name: string) => {
  const golden = JSON.parse(await readFile(join(fixtures, name, 'golden.json'), 'utf8')) as {
    ids: number[]
    logits: number[][]
  }
  return { ids: golden.ids.join(','), logits: golden.logits }
}

/** The command in this process, with the real libraries. */
const run = async (args: string[]) => {
  const { code, stderr, events } = await runMain([...args, '--threads', '1', '--json'], nodeLibraries)
  expect([code, stderr], args.join(' ')).toEqual([0, ''])
  return events().at(-1) as { logits: number[][] }
}

/** The largest difference, in units of max(1, the largest expected value); NaN and infinity when not all are finite. */
const distance = (actual: readonly number[][], expected: readonly number[][]): number => {
  expect(actual.map((row) => row.length)).toEqual(expected.map((row) => row.length))
  const largest = Math.max(1, ...expected.flat().map(Math.abs))
  return Math.max(...expected.flatMap((row, i) => row.map((x, j) => Math.abs(x - Number(actual[i]?.[j]))))) / largest
}

describe('awq logits on checkpoints without a tokenizer', { timeout: 60_000 }, () => {
  it.each(names)('equals transformers on %s', async (name) => {
    const { ids, logits } = await readGolden(name)
    const all = await run(['logits', join(fixtures, name), '--ids', ids, '--all'])
    expect(distance(all.logits, logits)).toBeLessThan(2e-4)
  })

  it('prints a table without the token column', async () => {
    const { ids, logits } = await readGolden('plain')
    const { code, stdout, stderr } = await awq(['logits', join(fixtures, 'plain'), '--ids', ids])
    expect([code, stderr]).toEqual([0, 'the 10 most likely of 40 tokens; --json prints all logits\n'])
    const [heading, best, ...rest] = stdout.trimEnd().split('\n')
    expect(heading).toMatch(/^id +logit +probability$/)
    const last = logits.at(-1) ?? []
    expect(best).toMatch(new RegExp(`^ *${last.indexOf(Math.max(...last))} `))
    expect(rest).toHaveLength(9)
  })

  // Widths that are no multiple of a group: hidden 32, intermediate 44, heads of 8, 12 and 20.
  describe.each(['tied-bias', 'head-dim-12', 'head-dim-20-gelu'])('quantized from %s', (name) => {
    it.each([
      ['--bits 8 --group-size 16', 0.05],
      ['--bits 8 --group-size -1 --symmetric', 0.05],
      ['--bits 4 --head-bits 16 --embedding-bits 4', 0.5],
      ['--bits 4 --group-size 16 --symmetric', 0.5],
      ['--bits 4 --group-size -1', 0.5],
    ])('with %s', async (options, limit) => {
      const output = join(scratch, `${name} ${options}`)
      const { ids, logits } = await readGolden(name)
      await run(['quantize', join(fixtures, name), '-o', output, '--method', 'rtn', ...options.split(' ')])
      const exact = await run(['logits', output, '--ids', ids, '--all'])
      const off = distance(exact.logits, logits)
      expect(off).toBeGreaterThan(1e-4)
      expect(off).toBeLessThan(limit)
      const fast = await run(['logits', output, '--ids', ids, '--all', '--accuracy', 'fast'])
      expect(distance(fast.logits, exact.logits)).toBeLessThan(0.05)
    })
  })
})
