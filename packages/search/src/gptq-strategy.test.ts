import { type ActivationStats, collectStats } from '@awq/calibration'
import { createEngine, type Engine } from '@awq/ort'
import { factorGram, type QuantSpec, roundGptq } from '@awq/quantize'
import { dequantize } from '@awq/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectedLoss } from './expected-loss.ts'
import { activations, noise, ownRows, traceLoss, weights } from './fixtures/data.ts'
import { scaleColumns } from './fold-scale.ts'
import { gptqStrategy } from './gptq-strategy.ts'
import { searchScale } from './search-scale.ts'

const width = 64
const rows = 96
const parts = [7, 8, 9].map((seed) => weights(rows * width, seed))
/** Columns of unequal size, as models have them: [rows, width]. */
const unequal = parts[0]!.map((value, at) => (value + parts[1]![at]! + parts[2]![at]!) * (1 + ((at % width) % 7) / 2))
const matrix = { data: unequal, rows }
const some = Float32Array.from(noise(width, 5), (value) => Math.exp(value))
const specs: QuantSpec[] = [
  { bits: 4, groupSize: 16, symmetric: false },
  { bits: 3, groupSize: 32, symmetric: true },
]
let engine: Engine
let stats: ActivationStats
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
  stats = await collectStats(engine, activations(400, width, 3), width)
})
afterAll(() => engine.dispose())

const scaledGram = (scale: Float32Array) =>
  stats.gram.map((value, at) => value / (scale[Math.floor(at / width)]! * scale[at % width]!))

/** What GPTQ leaves of the output's error, on the Gram matrix as it was. */
const roundedLoss = async (spec: QuantSpec, scale: Float32Array): Promise<number> => {
  const scaled = scaleColumns(matrix.data, scale)
  const rounded = dequantize(await roundGptq(engine, scaled, [rows, width], scaledGram(scale), spec))
  return traceLoss(
    rounded.map((value, at) => value - scaled[at]!),
    scaledGram(scale),
    width,
  )
}

describe.each(specs)('$bits bits, group $groupSize, symmetric: $symmetric', (spec) => {
  const problem = async () => ({
    weights: [matrix],
    width,
    spec,
    pivots: (await factorGram(engine, stats.gram, width)).pivots,
  })

  it('expects about what GPTQ leaves', async () => {
    const one = new Float32Array(width).fill(1)
    const ratio = expectedLoss(await problem())(one).loss / (await roundedLoss(spec, one))
    expect(ratio).toBeGreaterThan(0.7)
    expect(ratio).toBeLessThan(1.25)
  })

  it('has the gradient of its loss', async () => {
    const at = expectedLoss(await problem())
    const { gradient } = at(some)
    const size = Math.hypot(...gradient)
    for (const column of [0, 5, 17, 40, 63]) {
      const moved = (by: number) =>
        at(some.map((value, index) => (index === column ? value * Math.exp(by) : value))).loss
      const expected = (moved(1e-3) - moved(-1e-3)) / 2e-3
      expect(Math.abs(gradient[column]! - expected)).toBeLessThan(1e-3 * size)
    }
  })

  it('finds scales that GPTQ loses less with', async () => {
    const search = { weights: [matrix], width, stats, spec, producerRow: ownRows(width) }
    const plain = await searchScale(engine, search)
    const found = await searchScale(engine, { ...search, strategy: gptqStrategy() })
    expect(await roundedLoss(spec, found.scale)).toBeLessThan(0.9 * (await roundedLoss(spec, plain.scale)))
  })
})

it('refuses steps and rates that lead nowhere', () => {
  expect(() => gptqStrategy({ steps: 0 })).toThrow(/steps and a rate/)
  expect(() => gptqStrategy({ rate: Number.NaN })).toThrow(/steps and a rate/)
})

it('keeps the start where no input is ever other than zero', async () => {
  const zero = await collectStats(engine, new Float32Array(20 * width), width)
  const search = { weights: [matrix], width, stats: zero, spec: specs[0]!, producerRow: ownRows(width) }
  const { scale } = await searchScale(engine, { ...search, strategy: gptqStrategy() })
  expect(scale.every((value) => value === 1)).toBe(true)
})
