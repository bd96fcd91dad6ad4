import { createEngine, type Engine } from '@awq/ort'
import { type QuantSpec, roundRtn } from '@awq/quantize'
import { dequantize } from '@awq/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { activations, ownRows, weights } from './fixtures/data.ts'
import { scaleColumns } from './fold-scale.ts'
import { activationBlock } from './int8-activations.ts'
import { int8Loss } from './int8-loss.ts'
import { smoothScale } from './smooth-scale.ts'

let engine: Engine
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
})
afterAll(async () => {
  await engine.dispose()
})

/** The rounding of one row of activations, written out. */
const roundRow = (row: Float32Array, block: number | null): Float32Array => {
  if (block === null) return row
  const rounded = new Float32Array(row.length)
  for (let start = 0; start < row.length; start += block) {
    const part = row.subarray(start, start + block)
    const most = Math.max(...part.map(Math.abs))
    const step = most / 127
    part.forEach((value, index) => {
      rounded[start + index] = most === 0 ? 0 : Math.round(value / step) * step
    })
  }
  return rounded
}

const matrices = (width: number) => [
  { data: weights(20 * width, 5), rows: 20 },
  { data: weights(12 * width, 6), rows: 12 },
]

const expectedLoss = (spec: QuantSpec, width: number, sample: Float32Array, scale: Float32Array): number => {
  const tokens = sample.length / width
  let loss = 0
  for (const { data, rows } of matrices(width)) {
    const rounded = dequantize(roundRtn(scaleColumns(data, scale), [rows, width], spec))
    for (let token = 0; token < tokens; token++) {
      const x = sample.subarray(token * width, (token + 1) * width)
      const small = roundRow(
        x.map((value, column) => value / scale[column]!),
        activationBlock(spec, width),
      )
      for (let row = 0; row < rows; row++) {
        let error = 0
        for (let at = 0; at < width; at++) {
          error += rounded[row * width + at]! * small[at]! - data[row * width + at]! * x[at]!
        }
        loss += error * error
      }
    }
  }
  return loss / tokens
}

describe('int8Loss', () => {
  it.each<[number, QuantSpec]>([
    [64, { bits: 8, groupSize: 32, symmetric: true }],
    [72, { bits: 4, groupSize: 32, symmetric: false }],
    [40, { bits: 4, groupSize: 256, symmetric: false }],
    [300, { bits: 8, groupSize: -1, symmetric: true }],
    [64, { bits: 2, groupSize: 16, symmetric: false }],
  ])('is the squared error of quantized products of rounded activations, width %d, %o', async (width, spec) => {
    const sample = activations(9, width, 11)
    const evaluate = int8Loss(engine, { weights: matrices(width), width, sample, spec })
    const own = Float32Array.from({ length: width }, (_, column) => 0.5 + (column % 7) * 0.4)
    const scales = [new Float32Array(width).fill(1), own]
    const losses = await evaluate(scales)
    losses.forEach((loss, index) => {
      const expected = expectedLoss(spec, width, sample, scales[index]!)
      expect(Math.abs(loss / expected - 1)).toBeLessThan(2e-3)
    })
    expect(await evaluate([own])).toEqual([losses[1]])
  })

  it('sees what smoothing does for activations with outliers, which the weights alone do not show', async () => {
    const width = 64
    const sample = activations(64, width, 3).map((value, at) => value * (at % width === 5 ? 100 : 1))
    const spec = { bits: 8, groupSize: 64, symmetric: true } as const
    const weightsOf = matrices(width)
    const maxAbs = Float32Array.from({ length: width }, (_, column) =>
      Math.max(...sample.filter((_, at) => at % width === column).map(Math.abs)),
    )
    const smooth = smoothScale({ maxAbs, weights: weightsOf, producerRow: ownRows(width), alpha: 0.5 })
    const [plain, smoothed] = await int8Loss(engine, { weights: weightsOf, width, sample, spec })([
      new Float32Array(width).fill(1),
      smooth,
    ])
    expect(smoothed!).toBeLessThan(plain! / 3)
  })

  it('is infinite or NaN when a scale leaves float16, and refuses what does not fit', async () => {
    const width = 32
    const spec = { bits: 4, groupSize: 32, symmetric: true } as const
    const problem = { weights: matrices(width), width, sample: activations(4, width, 1), spec }
    const evaluate = int8Loss(engine, problem)
    expect(Number.isFinite((await evaluate([new Float32Array(width).fill(1e8)]))[0])).toBe(false)
    await expect(evaluate([new Float32Array(width)])).rejects.toThrow('must be positive')
    expect(() => int8Loss(engine, { ...problem, sample: new Float32Array(31) })).toThrow('no matrix of width 32')
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(int8Loss(engine, problem, { signal })([new Float32Array(width).fill(1)])).rejects.toThrow('enough')
  })
})
