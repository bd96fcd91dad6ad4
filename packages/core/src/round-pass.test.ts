import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { roundRtn } from '@awq/quantize'
import type { QuantizedMatrix } from '@awq/tensor'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Method, quantize, type RoundingProblem, roundPass, rtn } from './index.ts'

const model = fileURLToPath(new URL('../../../examples/models/stories260k', import.meta.url))

let scratch: string
let count = 0
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'awq-rounding-'))
})
afterAll(() => rm(scratch, { recursive: true, force: true }))

type Change = (matrix: QuantizedMatrix, problem: RoundingProblem) => unknown

const run = (change: Change) => {
  const rounding = {
    name: 'own',
    round: (problem: RoundingProblem) => {
      const { weight, shape, spec } = problem
      return change(roundRtn(weight, shape, spec), problem) as QuantizedMatrix
    },
  }
  const method: Method = { ...rtn(), name: 'own', passes: [roundPass(rounding)] }
  return quantize({ model, output: join(scratch, String(count++)), method, bits: 3, groupSize: 32 })
}

const who = /^model\.layers\.0\.self_attn\.q_proj\.weight as rounded by own/

describe('a rounding of your own is refused at the first matrix, by its name and the matrix', () => {
  const cases: [string, Change, RegExp][] = [
    ['nothing', () => undefined, /no matrix was returned/],
    ['a code too large', (matrix) => ({ ...matrix, codes: matrix.codes.map(() => 8) }), /code 8 at index 0 is above 7/],
    ['other bits', (matrix) => ({ ...matrix, bits: 4 }), /in 4 bits.*asked for was \[64, 64\] in 3 bits, group 32/],
    [
      'another group',
      (_, { weight, shape, spec }) => roundRtn(weight, shape, { ...spec, groupSize: 16 }),
      /group 16.*asked for was .*group 32/,
    ],
    [
      'no zero points',
      (_, { weight, shape, spec }) => roundRtn(weight, shape, { ...spec, symmetric: true }),
      /symmetric; asked for was .*with zero points/,
    ],
  ]
  test.each(cases)('%s', async (_, change, problem) => {
    const error: Error = await run(change).then(
      () => new Error('nothing was refused'),
      (reason) => reason,
    )
    expect(error.message).toMatch(who)
    expect(error.message).toMatch(problem)
  })
})
