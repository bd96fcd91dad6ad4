import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { weights } from './fixtures/data.ts'
import { foldIntoProducer, scaleColumns } from './fold-scale.ts'

/** y = W x + b */
function linear(weight: Float32Array, x: readonly number[], bias?: Float32Array): number[] {
  const width = x.length
  return Array.from({ length: weight.length / width }, (_, row) =>
    x.reduce((sum, value, i) => sum + weight[row * width + i]! * value, bias?.[row] ?? 0),
  )
}

const vector = (length: number, min = -4) =>
  fc.array(fc.float({ min, max: 4, noNaN: true }), { minLength: length, maxLength: length })
const positive = (length: number) => vector(length, 0.125)
const expectClose = (actual: readonly number[], expected: readonly number[]) =>
  actual.forEach((value, at) => {
    expect(Math.abs(value - expected[at]!)).toBeLessThan(1e-4 * Math.max(1, ...expected.map(Math.abs)))
  })

describe('a fold keeps the function', () => {
  const rows = Int32Array.of(0, 1, 2, 3)

  it.each(['norm', 'norm1p'] as const)('of a linear behind a %s', (kind) => {
    const consumer = weights(5 * 4, 1)
    const offset = kind === 'norm1p' ? 1 : 0
    fc.assert(
      fc.property(vector(4), vector(4), positive(4), (x, norm, s) => {
        const scale = Float32Array.from(s)
        const run = (gain: Float32Array, weight: Float32Array) =>
          linear(
            weight,
            x.map((value, i) => value * (gain[i]! + offset)),
          )
        const gain = Float32Array.from(norm)
        const folded = foldIntoProducer({ kind, weight: gain }, scale, rows)
        expectClose(run(folded.weight, scaleColumns(consumer, scale)), run(gain, consumer))
      }),
    )
  })

  it('of a gated up -> down, with bias', () => {
    const [up, bias, down] = [weights(4 * 3, 1), weights(4, 2), weights(2 * 4, 3)]
    fc.assert(
      fc.property(vector(3), vector(4), positive(4), (x, gate, s) => {
        const scale = Float32Array.from(s)
        const run = (w: Float32Array, b: Float32Array, d: Float32Array) =>
          linear(
            d,
            linear(w, x, b).map((value, i) => value * gate[i]!),
          )
        const folded = foldIntoProducer({ kind: 'linear', weight: up, rows: 4, bias }, scale, rows)
        expectClose(run(folded.weight, folded.bias!, scaleColumns(down, scale)), run(up, bias, down))
      }),
    )
  })

  it('of value -> output when query heads share a value head, each value row once', () => {
    // Two KV heads of dimension 2; two query heads read each. The mix of tokens is linear: one token will do.
    const producerRow = Int32Array.of(0, 1, 0, 1, 2, 3, 2, 3)
    const [value, output] = [weights(4 * 3, 1), weights(5 * 8, 2)]
    fc.assert(
      fc.property(vector(3), positive(4), (x, perRow) => {
        const scale = Float32Array.from(producerRow, (row) => perRow[row]!)
        const run = (v: Float32Array, o: Float32Array) => {
          const made = linear(v, x)
          return linear(
            o,
            [...producerRow].map((row) => made[row]!),
          )
        }
        const folded = foldIntoProducer({ kind: 'value', weight: value, rows: 4 }, scale, producerRow)
        expectClose(run(folded.weight, scaleColumns(output, scale)), run(value, output))
      }),
    )
  })
})

describe('foldIntoProducer', () => {
  it('leaves rows that no column reads', () => {
    const folded = foldIntoProducer(
      { kind: 'linear', weight: Float32Array.of(2, 4, 6), rows: 3 },
      Float32Array.of(2),
      Int32Array.of(1),
    )
    expect([...folded.weight]).toEqual([2, 2, 6])
  })

  it('does not touch its arguments', () => {
    const weight = Float32Array.of(2, 4)
    foldIntoProducer({ kind: 'norm', weight }, Float32Array.of(2, 2), Int32Array.of(0, 1))
    scaleColumns(weight, Float32Array.of(2, 2))
    expect([...weight]).toEqual([2, 4])
  })

  it.each([
    [[1, 2], [0, 0], /row 0 have the scales 1 and 2/],
    [[1, 2], [0, 2], /row 2 of a producer with 2 rows/],
    [[1, 2], [0, -1], /row -1/],
    [[1, 2], [0], /1 entries for 2 scales/],
    [[1, 0], [0, 1], /channel 1 is 0/],
    [[1, Number.NaN], [0, 1], /channel 1 is NaN/],
  ])('refuses the scales %j for the rows %j', (scale, rows, message) => {
    const producer = { kind: 'norm', weight: new Float32Array(2) } as const
    expect(() => foldIntoProducer(producer, Float32Array.from(scale), Int32Array.from(rows))).toThrow(message)
  })

  it('refuses a weight or bias of another height', () => {
    const fold = (weight: number, bias: number) =>
      foldIntoProducer(
        { kind: 'linear', weight: new Float32Array(weight), rows: 2, bias: new Float32Array(bias) },
        Float32Array.of(1, 1),
        Int32Array.of(0, 1),
      )
    expect(() => fold(5, 2)).toThrow(/2 rows/)
    expect(() => fold(4, 3)).toThrow(/bias of 3/)
    expect(() => scaleColumns(new Float32Array(5), Float32Array.of(1, 1))).toThrow(/rows of 2/)
  })
})
