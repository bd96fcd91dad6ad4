import { createEngine, type Engine } from '@awq/ort'
import { dequantize } from '@awq/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { descendCodes } from './descend.ts'
import { gaussians, gramLoss, randomGram, randomMatrix } from './fixtures/reference.ts'
import { roundGptq } from './gptq.ts'
import { roundRtn } from './rtn.ts'
import type { QuantSpec } from './spec.ts'

let engine: Engine
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
})
afterAll(() => engine.dispose())

/** Repeatable numbers. */
const noise = (length: number, seed: number) => randomMatrix(gaussians(seed), 1, length, 0.5)

const correlatedGram = (width: number, seed: number) => randomGram(gaussians(seed), width)

describe('descendCodes', () => {
  const cases: [rows: number, width: number, spec: QuantSpec][] = [
    [5, 48, { bits: 4, groupSize: 16, symmetric: false }],
    [7, 100, { bits: 3, groupSize: 32, symmetric: true }],
    [3, 172, { bits: 2, groupSize: -1, symmetric: false }],
  ]
  it.each(cases)('[%i, %i] ends where no single code can be bettered', async (rows, width, spec) => {
    const weight = noise(rows * width, width)
    const gram = correlatedGram(width, rows)
    const start = roundRtn(weight, [rows, width], spec)
    const done = await descendCodes(engine, weight, start, gram, { sweeps: 50 })
    const values = dequantize(done)
    const loss = gramLoss(weight, values, gram)
    expect(loss).toBeLessThan(gramLoss(weight, dequantize(start), gram))
    expect(done.scales).toBe(start.scales)
    for (let at = 0; at < done.codes.length; at += 11)
      for (const step of [-1, 1]) {
        const code = done.codes[at]! + step
        if (code < 0 || code >= 2 ** spec.bits) continue
        const codes = done.codes.slice()
        codes[at] = code
        const other = gramLoss(weight, dequantize({ ...done, codes }), gram)
        expect(other).toBeGreaterThan(loss * (1 - 1e-5))
      }
  })
  it('goes on from GPTQ, and never up', async () => {
    const [rows, width] = [130, 96]
    const spec: QuantSpec = { bits: 3, groupSize: 32, symmetric: false }
    const weight = noise(rows * width, 1)
    const gram = correlatedGram(width, 2)
    let matrix = await roundGptq(engine, weight, [rows, width], gram, spec)
    let loss = gramLoss(weight, dequantize(matrix), gram)
    for (let sweep = 0; sweep < 3; sweep++) {
      matrix = await descendCodes(engine, weight, matrix, gram, { sweeps: 1 })
      const next = gramLoss(weight, dequantize(matrix), gram)
      expect(next).toBeLessThanOrEqual(loss * (1 + 1e-6))
      loss = next
    }
  })
  it('leaves columns whose input is always zero, and changes nothing in no sweeps', async () => {
    const weight = noise(4 * 32, 3)
    const gram = correlatedGram(32, 4)
    for (let i = 0; i < 32; i++) gram[i * 32 + 5] = gram[5 * 32 + i] = 0
    const start = roundRtn(weight, [4, 32], { bits: 4, groupSize: 16, symmetric: false })
    const done = await descendCodes(engine, weight, start, gram)
    for (let row = 0; row < 4; row++) expect(done.codes[row * 32 + 5]).toBe(start.codes[row * 32 + 5])
    const same = await descendCodes(engine, weight, start, new Float32Array(32 * 32))
    expect(same.codes).toEqual(start.codes)
    expect((await descendCodes(engine, weight, start, gram, { sweeps: 0 })).codes).toEqual(start.codes)
  })
  it('refuses a Gram matrix that does not fit or is not finite', async () => {
    const weight = noise(64, 3)
    const start = roundRtn(weight, [2, 32], { bits: 4, groupSize: 16, symmetric: false })
    await expect(descendCodes(engine, weight, start, new Float32Array(9))).rejects.toThrow(/9 values/)
    const bad = correlatedGram(32, 4)
    bad[7] = Number.NaN
    await expect(descendCodes(engine, weight, start, bad, { name: 'w' })).rejects.toThrow(/w: the Gram/)
  })
})
