import { collectStats, scaleStats } from '@awq/calibration'
import { createEngine, type Engine } from '@awq/ort'
import { groupRanges, type QuantSpec, roundRtn } from '@awq/quantize'
import { dequantize } from '@awq/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ALPHAS, alphaScale, sharedMagnitude } from './candidate-scales.ts'
import { CLIP_RATIOS } from './clip-options.ts'
import { activations, traceLoss, weights } from './fixtures/data.ts'
import golden from './fixtures/golden.json' with { type: 'json' }
import { scaleColumns } from './fold-scale.ts'
import { quantizationLoss } from './quantization-loss.ts'
import { evaluateScales } from './scale-loss.ts'
import { searchClip } from './search-clip.ts'
import { searchScale } from './search-scale.ts'

let engine: Engine
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
})
afterAll(async () => {
  await engine.dispose()
})

/** One scale per (KV head, dimension of 8), shared by `columns` query heads. */
const producerRows = (width: number, columns: number) =>
  Int32Array.from({ length: width }, (_, at) => (columns === 1 ? at : Math.floor(at / (columns * 8)) * 8 + (at % 8)))

const relative = (a: number, b: number) => Math.abs(a - b) / Math.abs(b)

describe.each(golden.cases.map((entry, index) => ({ ...entry, index })))('$name, against torch', (entry) => {
  const { width, tokens, index } = entry
  const spec = entry.spec as QuantSpec
  const matrices = entry.rows.map((rows, i) => ({ data: weights(rows * width, 5000 + 10 * index + i), rows }))
  const statistics = async () => {
    const stats = await collectStats(engine, activations(tokens, width, 1000 + 10 * index), width)
    return { ...stats, meanAbs: Float32Array.from(entry.magnitude) }
  }
  const producerRow = producerRows(width, entry.columnsPerProducerRow)

  it('shares magnitudes over the columns of a producer row', async () => {
    const { meanAbs } = await collectStats(engine, activations(tokens, width, 1000 + 10 * index), width)
    sharedMagnitude(meanAbs, producerRow).forEach((value, at) => {
      expect(relative(value, entry.magnitude[at]!)).toBeLessThan(1e-5)
    })
  })

  it('evaluates every alpha and chooses the same one', async () => {
    const stats = await statistics()
    const magnitude = sharedMagnitude(stats.meanAbs, producerRow)
    const scales = ALPHAS.map((alpha) => alphaScale(magnitude, alpha))
    const losses = await evaluateScales(engine, { weights: matrices, width, gram: stats.gram, spec }, scales)
    losses.forEach((loss, at) => {
      expect(relative(loss, entry.losses[at]!)).toBeLessThan(1e-4)
    })
    const choice = await searchScale(engine, { weights: matrices, width, stats, spec, producerRow })
    expect(choice.alpha).toBe(entry.alpha)
    expect(choice.loss).toBe(Math.min(...losses))
    expect(choice.identityLoss).toBe(losses[0])
    expect(new Set(choice.scale).size).toBeLessThanOrEqual(new Set(producerRow).size)
  })

  it('reports the loss that the rounded weights have', async () => {
    const stats = await statistics()
    const { scale, loss } = await searchScale(engine, { weights: matrices, width, stats, spec, producerRow })
    const gram = scaleStats(stats, scale).gram
    let total = 0
    for (const { data, rows } of matrices) {
      const scaled = scaleColumns(data, scale)
      total += await quantizationLoss(engine, scaled, roundRtn(scaled, [rows, width], spec), gram)
    }
    expect(relative(total, loss)).toBeLessThan(1e-4)
  })

  it('clips as torch does, and the ranges have the loss it reports', async () => {
    const stats = await statistics()
    const { data: weight, rows } = matrices[0]!
    const choice = await searchClip(engine, { weight, rows, width, gram: stats.gram, spec })
    expect(relative(choice.loss, entry.clip.loss)).toBeLessThan(1e-4)
    expect(relative(choice.unclippedLoss, entry.clip.unclippedLoss)).toBeLessThan(1e-4)
    const full = groupRanges(weight, [rows, width], spec)
    const counts = CLIP_RATIOS.map(() => 0)
    choice.ranges.low.forEach((low, at) => {
      const ratio =
        Math.abs(full.low[at]!) > full.high[at]! ? low / full.low[at]! : choice.ranges.high[at]! / full.high[at]!
      counts[Math.round((1 - ratio) * 20)]!++
    })
    const moved = counts.reduce((sum, count, at) => sum + Math.abs(count - entry.clip.chosen[at]!), 0)
    // Groups whose two best ratios are within rounding of each other may fall either way.
    expect(moved).toBeLessThanOrEqual(2)

    const size = spec.groupSize === -1 ? width : spec.groupSize
    const blocks = stats.gram.map((value, at) =>
      Math.floor(at / width / size) === Math.floor((at % width) / size) ? value : 0,
    )
    const rounded = dequantize(roundRtn(weight, [rows, width], spec, choice.ranges))
    const error = Float64Array.from(rounded, (value, at) => value - weight[at]!)
    expect(relative(choice.loss, traceLoss(error, blocks, width))).toBeLessThan(1e-4)
  })
})
