import { type ActivationStats, collectStats } from '@awq/calibration'
import { createEngine, type Engine } from '@awq/ort'
import type { QuantSpec } from '@awq/quantize'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { alphaStrategy } from './alpha-strategy.ts'
import { ALPHAS, alphaScale } from './candidate-scales.ts'
import { activations, ownRows, weights } from './fixtures/data.ts'
import { evaluateScales } from './scale-loss.ts'
import { searchScale } from './search-scale.ts'

const spec: QuantSpec = { bits: 4, groupSize: 16, symmetric: false }
const width = 48
const matrix = { data: weights(20 * width, 7), rows: 20 }
let engine: Engine
let stats: ActivationStats
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
  stats = await collectStats(engine, activations(64, width, 3), width)
})
afterAll(async () => {
  await engine.dispose()
})
const base = () => ({ weights: [matrix], width, stats, spec, producerRow: ownRows(width) })

describe('searchScale', () => {
  it('never does worse than the identity, whatever is tried', async () => {
    for (const alphas of [[], [1], [3], [-2, 5]]) {
      const choice = await searchScale(engine, { ...base(), strategy: alphaStrategy({ alphas }) })
      expect(choice.loss).toBeLessThanOrEqual(choice.identityLoss)
    }
    const worse = await searchScale(engine, { ...base(), strategy: alphaStrategy({ alphas: [5] }) })
    expect(worse.alpha).toBe(0)
    expect(worse.scale).toEqual(new Float32Array(width).fill(1))
    expect(worse.loss).toBe(worse.identityLoss)
  })

  it('keeps the first of equal losses', async () => {
    const equal = { ...stats, meanAbs: new Float32Array(width).fill(3) }
    expect((await searchScale(engine, { ...base(), stats: equal })).alpha).toBe(0)
  })

  it('adds up the losses of siblings, however they are cut into chunks', async () => {
    const [a, b] = [weights(700 * width, 1), weights(30 * width, 2)]
    const one = new Float32Array([...a, ...b])
    const scales = [new Float32Array(width).fill(1)]
    const problem = { width, gram: stats.gram, spec }
    const [apart] = await evaluateScales(
      engine,
      {
        ...problem,
        weights: [
          { data: a, rows: 700 },
          { data: b, rows: 30 },
        ],
      },
      scales,
    )
    const [together] = await evaluateScales(engine, { ...problem, weights: [{ data: one, rows: 730 }] }, scales)
    const parts = await Promise.all(
      [
        { data: a, rows: 700 },
        { data: b, rows: 30 },
      ].map((weight) => evaluateScales(engine, { ...problem, weights: [weight] }, scales)),
    )
    expect(apart).toBe(together)
    expect(Math.abs(apart! - parts[0]![0]! - parts[1]![0]!)).toBeLessThan(1e-5 * apart!)
  })

  it('ignores what dead channels would cost', async () => {
    const x = activations(64, width, 3).map((value, at) => (at % width < 4 ? 0 : value))
    const dead = await collectStats(engine, x, width)
    const choice = await searchScale(engine, { ...base(), stats: dead })
    expect(choice.scale.every((value) => value > 1e-3 && value < 1e3)).toBe(true)
    expect(choice.loss).toBeLessThanOrEqual(choice.identityLoss)
    const allDead = await collectStats(engine, new Float32Array(8 * width), width)
    expect(await searchScale(engine, { ...base(), stats: allDead })).toMatchObject({ alpha: 0, loss: 0 })
  })

  it('passes over scales that leave float16, and says so when all do', async () => {
    const large = { data: matrix.data.map((value) => value * 2e6), rows: 20 }
    const tried = ALPHAS.map((alpha) => alphaScale(stats.meanAbs, alpha))
    const losses = await evaluateScales(engine, { weights: [large], width, gram: stats.gram, spec }, tried)
    expect(losses.some((loss) => !Number.isFinite(loss))).toBe(true)
    const choice = await searchScale(engine, { ...base(), weights: [large] })
    expect(Number.isFinite(choice.loss)).toBe(true)
    expect(choice.loss).toBeLessThanOrEqual(choice.identityLoss)
    const huge = { data: matrix.data.map((value) => value * 1e12), rows: 20 }
    await expect(searchScale(engine, { ...base(), weights: [huge], name: 'layer 3 qkv' })).rejects.toMatchObject({
      code: 'NUMERIC',
      message: expect.stringContaining('layer 3 qkv'),
    })
    const broken = { data: matrix.data.with(5, Number.NaN), rows: 20 }
    await expect(searchScale(engine, { ...base(), weights: [broken] })).rejects.toMatchObject({ code: 'NUMERIC' })
  })

  it('stops when told, and reports progress', async () => {
    const controller = new AbortController()
    const seen: number[] = []
    const onProgress = ({ done }: { done: number }) => {
      seen.push(done)
      if (done === 3) controller.abort(new Error('enough'))
    }
    await expect(searchScale(engine, { ...base(), signal: controller.signal, onProgress })).rejects.toThrow('enough')
    expect(seen).toEqual([1, 2, 3])
  })

  it.each([
    ['weights', { weights: [{ data: new Float32Array(5), rows: 1 }] }, /weight 0 has 5 values/],
    ['no weights', { weights: [] }, /at least one weight/],
    ['width', { width: 47 }, /width 48 for weights of width 47/],
    ['producerRow', { producerRow: ownRows(5) }, /5 entries/],
    ['spec', { spec: { bits: 5, groupSize: 16, symmetric: false } as unknown as QuantSpec }, /bits/],
  ])('refuses %s that do not fit', async (_, change, message) => {
    await expect(searchScale(engine, { ...base(), ...change })).rejects.toThrow(message)
  })
})
