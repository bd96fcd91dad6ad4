import { describe, expect, it } from 'vitest'
import { activations, ownRows, weights } from './fixtures/data.ts'
import { smoothScale } from './smooth-scale.ts'

const width = 24
const matrices = [
  { data: weights(7 * width, 1), rows: 7 },
  { data: weights(5 * width, 2), rows: 5 },
]
const x = activations(40, width, 3)
const columnOf = (data: Float32Array, column: number) => data.filter((_, index) => index % width === column)
const largest = (values: Float32Array) => Math.max(...values.map(Math.abs))
const maxAbs = Float32Array.from({ length: width }, (_, column) => largest(columnOf(x, column)))
const base = { maxAbs, weights: matrices, producerRow: ownRows(width) }

describe('smoothScale', () => {
  it.each([0, 0.3, 0.5, 0.85, 1])('is max|x|^alpha / max|w|^(1-alpha) over all siblings, alpha %d', (alpha) => {
    const scale = smoothScale({ ...base, alpha })
    scale.forEach((value, column) => {
      const w = Math.max(...matrices.map(({ data }) => largest(columnOf(data, column))))
      const expected = Math.exp(alpha * Math.log(maxAbs[column]!) - (1 - alpha) * Math.log(w))
      expect(Math.abs(value / expected - 1)).toBeLessThan(1e-6)
    })
  })

  it('leaves activations and weights with the same range at alpha 0.5', () => {
    smoothScale({ ...base, alpha: 0.5 }).forEach((value, column) => {
      const w = Math.max(...matrices.map(({ data }) => largest(columnOf(data, column))))
      expect((w * value) / (maxAbs[column]! / value)).toBeCloseTo(1, 5)
    })
  })

  it('gives columns of one producer row one scale, from their common maxima', () => {
    const producerRow = Int32Array.from({ length: width }, (_, column) => column % (width / 2))
    const scale = smoothScale({ ...base, producerRow, alpha: 0.5 })
    for (let column = 0; column < width / 2; column++) {
      const pair = [column, column + width / 2]
      const most = (of: (column: number) => number) => Math.max(...pair.map(of))
      const w = most((at) => Math.max(...matrices.map(({ data }) => largest(columnOf(data, at)))))
      expect(scale[column]).toBe(scale[column + width / 2])
      expect(scale[column]! / Math.sqrt(most((at) => maxAbs[at]!) / w)).toBeCloseTo(1, 5)
    }
  })

  it.each([0, 0.5, 1])('takes channels of zeros for the smallest live ones, alpha %d', (alpha) => {
    const dead = maxAbs.map((value, column) => (column < 2 ? 0 : value))
    const plain = smoothScale({ ...base, maxAbs: dead, alpha })
    const least = Math.min(...dead.filter((value) => value > 0))
    expect(plain).toEqual(smoothScale({ ...base, maxAbs: dead.map((value) => value || least), alpha }))
    const hollow = matrices.map(({ data, rows }) => ({
      data: data.map((value, index) => (index % width === 3 ? 0 : value)),
      rows,
    }))
    const scale = smoothScale({ ...base, weights: hollow, alpha })
    expect(scale.every((value) => value > 0 && Number.isFinite(value))).toBe(true)
    const none = new Float32Array(width)
    const empty = [{ data: none, rows: 1 }]
    expect(smoothScale({ ...base, maxAbs: none, weights: empty, alpha })).toEqual(none.fill(1))
  })

  it('stays finite over the whole range of float32', () => {
    const wild = maxAbs.map((_, column) => 10 ** (column * 3 - 36))
    for (const alpha of [0, 0.5, 1]) {
      const scale = smoothScale({ ...base, maxAbs: wild, weights: [{ data: wild.toReversed(), rows: 1 }], alpha })
      expect(scale.every((value) => value > 0 && Number.isFinite(value))).toBe(true)
    }
  })

  it('refuses alphas outside 0..1, shapes that do not fit, and values that are not finite', () => {
    for (const alpha of [-0.1, 1.5, Number.NaN]) {
      expect(() => smoothScale({ ...base, alpha })).toThrow('between 0 and 1')
    }
    expect(() => smoothScale({ ...base, alpha: 0.5, maxAbs: maxAbs.slice(1) })).toThrow('23 activation maxima')
    expect(() => smoothScale({ ...base, alpha: 0.5, weights: [{ data: x, rows: 3 }] })).toThrow('not 3 rows of 24')
    const bad = maxAbs.with(5, Number.NaN)
    expect(() => smoothScale({ ...base, alpha: 0.5, maxAbs: bad, name: 'q' })).toThrow(
      'q: the largest activation of channel 5',
    )
    const infinite = [{ data: matrices[0]!.data.with(30, -1 / 0), rows: 7 }]
    expect(() => smoothScale({ ...base, alpha: 0.5, weights: infinite })).toThrow(
      'largest weight of channel 6 is Infinity',
    )
  })
})
