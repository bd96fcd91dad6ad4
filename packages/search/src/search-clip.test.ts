import { type ActivationStats, collectStats } from '@awq/calibration'
import { createEngine, type Engine } from '@awq/ort'
import { groupRanges, type QuantSpec, roundRtn } from '@awq/quantize'
import { dequantize } from '@awq/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { activations, traceLoss, weights } from './fixtures/data.ts'
import { searchClip } from './search-clip.ts'

const spec: QuantSpec = { bits: 3, groupSize: 16, symmetric: false }
const [rows, width] = [12, 40]
const weight = weights(rows * width, 7)
let engine: Engine
let stats: ActivationStats
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
  stats = await collectStats(engine, activations(64, width, 3), width)
})
afterAll(async () => {
  await engine.dispose()
})
const base = () => ({ weight, rows, width, gram: stats.gram, spec })

describe('searchClip', () => {
  it('never does worse than no clipping, and shrinks both ends by one ratio', async () => {
    const { ranges, loss, unclippedLoss } = await searchClip(engine, base())
    expect(loss).toBeLessThan(unclippedLoss)
    const full = groupRanges(weight, [rows, width], spec)
    expect(ranges.low.length).toBe(full.low.length)
    ranges.low.forEach((low, at) => {
      expect(low / full.low[at]!).toBeCloseTo(ranges.high[at]! / full.high[at]!, 5)
    })
  })

  it('does better with ends on their own, which have the loss it reports', async () => {
    const together = await searchClip(engine, base())
    const { ranges, loss } = await searchClip(engine, { ...base(), ends: 'independent' })
    expect(loss).toBeLessThan(0.98 * together.loss)
    const rounded = dequantize(roundRtn(weight, [rows, width], spec, ranges))
    const blocks = stats.gram.map((value, at) =>
      Math.floor(at / width / 16) === Math.floor((at % width) / 16) ? value : 0,
    )
    const exact = traceLoss(
      rounded.map((value, at) => value - weight[at]!),
      blocks,
      width,
    )
    expect(Math.abs(loss / exact - 1)).toBeLessThan(1e-4)
  })

  it('clamps symmetrically, where asked: no weight beyond the limit of its group', async () => {
    const { ranges } = await searchClip(engine, { ...base(), clamp: 'symmetric', ratios: [0.5] })
    const full = groupRanges(weight, [rows, width], spec)
    ranges.low.forEach((low, at) => {
      const most = Math.max(-full.low[at]!, full.high[at]!)
      const limit = [1, 0.5].map((ratio) => Math.fround(most * ratio))
      expect(limit.some((end) => low === Math.max(full.low[at]!, -end))).toBe(true)
    })
    await expect(searchClip(engine, { ...base(), clamp: 'symmetric', ends: 'independent' })).rejects.toThrow(
      /no independent/,
    )
  })

  it('refuses ends and clamps that it does not know', async () => {
    await expect(searchClip(engine, { ...base(), ends: 'both' as 'together' })).rejects.toThrow(/not "both" and "ends"/)
    await expect(searchClip(engine, { ...base(), clamp: 'mean' as 'ends' })).rejects.toThrow(/and "mean"/)
  })

  it('without other ratios gives the full ranges', async () => {
    const { ranges, loss, unclippedLoss } = await searchClip(engine, { ...base(), ratios: [] })
    expect(ranges).toEqual(groupRanges(weight, [rows, width], spec))
    expect(loss).toBe(unclippedLoss)
  })

  it('gives the same for many rows as for few', async () => {
    const many = new Float32Array([...Array(60)].flatMap(() => [...weight]))
    const few = await searchClip(engine, base())
    const { ranges, loss } = await searchClip(engine, { ...base(), weight: many, rows: rows * 60 })
    expect(ranges.high.subarray(59 * few.ranges.high.length)).toEqual(few.ranges.high)
    expect(Math.abs(loss - 60 * few.loss)).toBeLessThan(1e-5 * loss)
  })

  it('leaves groups of zeros alone', async () => {
    const zeros = await searchClip(engine, { ...base(), weight: new Float32Array(rows * width) })
    expect(zeros.loss).toBe(0)
    expect(zeros.ranges.high.every((value) => value === 0)).toBe(true)
  })

  it('names a matrix with a group that has no finite loss', async () => {
    const search = { ...base(), weight: weight.with(5 * width + 20, Number.NaN), name: 'o_proj' }
    await expect(searchClip(engine, search)).rejects.toMatchObject({
      code: 'NUMERIC',
      message: expect.stringMatching(/o_proj.*row 5, group 1/),
    })
  })

  it('stops when told', async () => {
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(searchClip(engine, { ...base(), signal })).rejects.toThrow('enough')
  })

  it.each([
    [{ rows: 11 }, /not 11 rows of 40/],
    [{ gram: new Float32Array(9) }, /gram matrix of 9 values/],
    [{ ratios: [0] }, /ratio must be in \(0, 1\], not 0/],
    [{ ratios: [1.5] }, /not 1\.5/],
  ])('refuses %o', async (change, message) => {
    await expect(searchClip(engine, { ...base(), ...change })).rejects.toThrow(message)
  })
})
