import { AwqError } from '@awq/tensor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ActivationStats, mergeStats, SAMPLE_ROWS, scaleStats } from './stats.ts'

/** The statistics of rows of activations, straight from their definition. */
function referenceStats(rows: readonly (readonly number[])[]): ActivationStats {
  const width = rows[0]!.length
  const mean = (of: (row: readonly number[]) => number) => rows.reduce((sum, row) => sum + of(row), 0) / rows.length
  const channels = Array.from({ length: width }, (_, channel) => channel)
  return {
    count: rows.length,
    width,
    meanAbs: Float32Array.from(channels, (i) => mean((row) => Math.abs(row[i]!))),
    maxAbs: Float32Array.from(channels, (i) => Math.max(...rows.map((row) => Math.abs(row[i]!)))),
    gram: Float32Array.from(channels.flatMap((i) => channels.map((j) => mean((row) => row[i]! * row[j]!)))),
    sample: Float32Array.from(rows.flat()),
  }
}

/** tr(E G E^T) */
function loss(error: readonly (readonly number[])[], gram: Float32Array, width: number): number {
  let sum = 0
  for (const row of error) {
    for (let i = 0; i < width; i++) for (let j = 0; j < width; j++) sum += row[i]! * gram[i * width + j]! * row[j]!
  }
  return sum
}

const matrix = (rows: number, width: number) =>
  fc.array(fc.array(fc.float({ min: -4, max: 4, noNaN: true }), { minLength: width, maxLength: width }), {
    minLength: rows,
    maxLength: rows,
  })

describe('mergeStats', () => {
  it('is what one run over both sets of tokens gives', () => {
    fc.assert(
      fc.property(matrix(3, 4), matrix(5, 4), (a, b) => {
        const merged = mergeStats(referenceStats(a), referenceStats(b))
        const whole = referenceStats([...a, ...b])
        expect(merged.count).toBe(8)
        expect(merged.maxAbs).toEqual(whole.maxAbs)
        expect(merged.sample).toEqual(whole.sample)
        for (const field of ['meanAbs', 'gram'] as const) {
          merged[field].forEach((value, at) => {
            expect(value).toBeCloseTo(whole[field][at]!, 5)
          })
        }
      }),
    )
  })

  it('keeps an even choice of at most 512 sample rows of both', () => {
    const shard = (rows: number, value: number) => referenceStats(Array.from({ length: rows }, (_, i) => [value + i]))
    const { sample } = mergeStats(shard(SAMPLE_ROWS, 0), shard(SAMPLE_ROWS, 1000))
    expect(sample.length).toBe(SAMPLE_ROWS)
    expect(sample.filter((value) => value >= 1000).length).toBe(SAMPLE_ROWS / 2)
  })

  it('refuses statistics of different widths', () => {
    expect(() => mergeStats(referenceStats([[1, 2]]), referenceStats([[1]]))).toThrow(/width 2 and 1/)
  })
})

describe('scaleStats', () => {
  it('leaves the loss of scaled errors unchanged', () => {
    const scales = fc.array(fc.float({ min: 0.125, max: 8, noNaN: true }), { minLength: 4, maxLength: 4 })
    fc.assert(
      fc.property(matrix(6, 4), matrix(2, 4), scales, (x, error, scale) => {
        const stats = referenceStats(x)
        const scaled = scaleStats(stats, Float32Array.from(scale))
        const scaledError = error.map((row) => row.map((value, channel) => value * scale[channel]!))
        const before = loss(error, stats.gram, 4)
        expect(Math.abs(loss(scaledError, scaled.gram, 4) - before)).toBeLessThan(1e-4 * Math.max(1, before))
      }),
    )
  })

  it('is the statistics of the scaled activations', () => {
    const x = [
      [1, -2, 3],
      [0.5, 4, -1],
    ]
    const scale = [2, 0.5, 4]
    const scaled = scaleStats(referenceStats(x), Float32Array.from(scale))
    expect(scaled).toEqual(referenceStats(x.map((row) => row.map((value, channel) => value / scale[channel]!))))
  })

  it.each([[[1, 0, 1]], [[1, Number.NaN, 1]], [[1, -1, 1]], [[1, Number.POSITIVE_INFINITY, 1]]])(
    'refuses the scale %j and names the channel',
    (scale) => {
      expect(() => scaleStats(referenceStats([[1, 2, 3]]), Float32Array.from(scale))).toThrow(/channel 1/)
    },
  )

  it('refuses fields that do not fit the width', () => {
    const stats = { ...referenceStats([[1, 2, 3]]), gram: new Float32Array(8) }
    expect(() => scaleStats(stats, new Float32Array(3).fill(1))).toThrow(AwqError)
  })
})
