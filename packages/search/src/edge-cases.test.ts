import { collectStats } from '@awq/calibration'
import { createEngine, type Engine } from '@awq/ort'
import { type QuantSpec, roundRtn } from '@awq/quantize'
import { dequantize } from '@awq/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { alphaStrategy } from './alpha-strategy.ts'
import { activations, ownRows, weights } from './fixtures/data.ts'
import { searchClip } from './search-clip.ts'
import { searchScale } from './search-scale.ts'
import { scaleStrategies } from './strategies.ts'

const spec: QuantSpec = { bits: 4, groupSize: 16, symmetric: false }
const rows = 24
let engine: Engine
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
})
afterAll(async () => {
  await engine.dispose()
})

/** Weights [rows, width] and activations [tokens, width] that searches must take as they come. */
const cases: [name: string, width: number, weight: Float32Array, x: Float32Array][] = [
  ['a width that the group does not divide', 41, weights(rows * 41, 1), activations(90, 41, 2)],
  ['one token', 48, weights(rows * 48, 1), activations(1, 48, 2)],
  ['constant activations', 48, weights(rows * 48, 1), new Float32Array(64 * 48).fill(2)],
  ['channels of zeros', 48, weights(rows * 48, 1), activations(64, 48, 2).map((x, at) => (at % 48 < 20 ? 0 : x))],
  ['weights of zeros', 48, weights(rows * 48, 1).map((w, at) => (at % 48 < 20 ? 0 : w)), activations(64, 48, 2)],
  [
    'a channel a thousand times as large',
    48,
    weights(rows * 48, 1),
    activations(64, 48, 2).map((x, at) => (at % 48 === 7 ? x * 1000 : x)),
  ],
  [
    'weights a thousand times as large',
    48,
    weights(rows * 48, 1).map((w, at) => (at % 48 === 7 ? w * 1000 : w)),
    activations(64, 48, 2),
  ],
  ['groups of one sign', 48, weights(rows * 48, 1).map((w) => Math.abs(w) + 0.05), activations(64, 48, 2)],
  ['groups of the other sign', 48, weights(rows * 48, 1).map((w) => -Math.abs(w) - 0.05), activations(64, 48, 2)],
]

describe.each(cases)('%s', (_, width, weight, x) => {
  const search = async () => ({
    weights: [{ data: weight, rows }],
    width,
    spec,
    stats: await collectStats(engine, x, width),
    producerRow: ownRows(width),
  })

  it.each(Object.entries(scaleStrategies))('%s is never worse than no scale', async (_, make) => {
    const { scale, loss, identityLoss } = await searchScale(engine, { ...(await search()), strategy: make() })
    expect(loss).toBeLessThanOrEqual(identityLoss)
    expect(Number.isFinite(loss)).toBe(true)
    expect(scale.every((value) => value > 0 && Number.isFinite(value))).toBe(true)
  })

  it.each(['together', 'independent'] as const)('clipping %s is never worse than the full range', async (ends) => {
    const { stats } = await search()
    const choice = await searchClip(engine, { weight, rows, width, spec, gram: stats.gram, ends })
    expect(choice.loss).toBeLessThanOrEqual(choice.unclippedLoss)
    const rounded = dequantize(roundRtn(weight, [rows, width], spec, choice.ranges))
    expect(rounded.every(Number.isFinite)).toBe(true)
  })
})

it('a finer grid of exponents is never worse, and says which one it took', async () => {
  const width = 48
  const stats = await collectStats(engine, activations(64, width, 2), width)
  const search = {
    weights: [{ data: weights(rows * width, 1), rows }],
    width,
    spec,
    stats,
    producerRow: ownRows(width),
  }
  const coarse = await searchScale(engine, { ...search, strategy: alphaStrategy({ alphas: [0.25, 0.5, 0.75] }) })
  const strategy = alphaStrategy({ alphas: [0.25, 0.5, 0.75], refine: 8 })
  const fine = await searchScale(engine, { ...search, strategy })
  expect(fine.loss).toBeLessThan(coarse.loss)
  expect(Math.abs(fine.alpha! - coarse.alpha!)).toBeLessThan(0.25)
  expect(() => alphaStrategy({ refine: -1 })).toThrow(/number of evaluations/)
})
