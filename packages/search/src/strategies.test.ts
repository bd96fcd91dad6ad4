import { type ActivationStats, collectStats } from '@awq/calibration'
import { createEngine, type Engine } from '@awq/ort'
import { groupRanges, type QuantSpec, roundRtn } from '@awq/quantize'
import { dequantize } from '@awq/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { relativeMagnitude } from './duo-strategy.ts'
import { activations, ownRows, traceLoss, weights } from './fixtures/data.ts'
import { scaleColumns } from './fold-scale.ts'
import { scaleGradientGraph } from './gradient-graph.ts'
import { gradientStrategy } from './gradient-strategy.ts'
import { evaluateScales } from './scale-loss.ts'
import { searchScale } from './search-scale.ts'
import { scaleStrategies } from './strategies.ts'
import type { ScaleStrategy } from './strategy.ts'

const spec: QuantSpec = { bits: 3, groupSize: 16, symmetric: false }
const width = 56
const matrix = { data: weights(40 * width, 7), rows: 40 }
let engine: Engine
let stats: ActivationStats
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
  stats = await collectStats(engine, activations(200, width, 3), width)
})
afterAll(async () => {
  await engine.dispose()
})
const base = () => ({ weights: [matrix], width, stats, spec, producerRow: ownRows(width) })
/** Two heads share each row of the producer. */
const shared = Int32Array.from({ length: width }, (_, column) => column % 28)

describe.each(Object.entries(scaleStrategies))('%s', (name, make) => {
  it('finds a scale whose exact loss it reports, below no scale', async () => {
    const found = await searchScale(engine, { ...base(), strategy: make() })
    expect(found.loss).toBeLessThan(found.identityLoss)
    const scaled = scaleColumns(matrix.data, found.scale)
    const rounded = scaleColumns(
      dequantize(roundRtn(scaled, [40, width], spec)),
      found.scale.map((value) => 1 / value),
    )
    const loss = traceLoss(
      rounded.map((value, at) => value - matrix.data[at]!),
      stats.gram,
      width,
    )
    expect(Math.abs(found.loss - loss)).toBeLessThan(1e-3 * loss)
  })

  it('gives the columns of one producer row one scale', async () => {
    const { scale } = await searchScale(engine, { ...base(), producerRow: shared, strategy: make() })
    expect(scale.subarray(28)).toEqual(scale.subarray(0, 28))
  })

  it('gives the same twice', async () => {
    const [one, two] = [make(), make()].map((strategy) => searchScale(engine, { ...base(), strategy }))
    expect(await one).toEqual(await two)
  })

  it('stops when told', async () => {
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(searchScale(engine, { ...base(), strategy: make(), signal })).rejects.toThrow('enough')
  })

  it('has its own name, and options that JSON keeps', () => {
    expect(make().name).toBe(name)
    expect(JSON.parse(JSON.stringify(make().options))).toEqual(make().options)
  })
})

describe('a strategy of your own', () => {
  const gives = (scale: Float32Array): ScaleStrategy => ({ name: 'own', search: async () => ({ scale }) })

  it('is evaluated, and loses against no scale where that is better', async () => {
    const bad = Float32Array.from({ length: width }, (_, at) => (at % 2 ? 100 : 0.01))
    const found = await searchScale(engine, { ...base(), strategy: gives(bad) })
    expect(found).toMatchObject({ alpha: 0, loss: found.identityLoss })
    const good = (await searchScale(engine, base())).scale
    const again = await searchScale(engine, { ...base(), strategy: gives(good) })
    expect(again.scale).toEqual(good)
    expect(again.loss).toBe((await evaluateScales(engine, { ...base(), gram: stats.gram }, [good]))[0])
    expect(again).not.toHaveProperty('alpha')
  })

  it.each([
    [undefined as never, ownRows(width), /strategy own must give \{ scale \} with a Float32Array of 56 values/],
    [new Float32Array(3), ownRows(width), /own gave 3 scales for 56 columns/],
    [new Float32Array(width), ownRows(width), /own gave the scale 0 for column 0/],
    [Float32Array.from({ length: width }, (_, at) => at + 1), shared, /producer row 0 1: columns of one producer row/],
  ])('is refused a scale that cannot be folded', async (scale, producerRow, message) => {
    await expect(searchScale(engine, { ...base(), producerRow, strategy: gives(scale) })).rejects.toThrow(message)
  })

  it('is judged by the objective in force', async () => {
    const good = (await searchScale(engine, base())).scale
    const evaluate = async (scales: readonly Float32Array[]) => scales.map((scale) => (scale[0] === 1 ? 1 : 2))
    const found = await searchScale(engine, { ...base(), strategy: gives(good), evaluate })
    expect(found).toMatchObject({ alpha: 0, loss: 1, identityLoss: 1 })
  })
})

describe('duo', () => {
  it('measures weights by the largest of their group', () => {
    const one = { data: Float32Array.of(1, -2, 4, 0.5, 0.25, 0, 0, 0, 8, 1), rows: 2 }
    const [a, b, c, d, e] = relativeMagnitude([one], 5, 3)
    expect([a, b, c, d, e].map((value) => value!.toFixed(3))).toEqual(['0.125', '0.250', '0.500', '1.000', '0.312'])
  })
})

describe('gradient', () => {
  it.each([[{ bits: 3, groupSize: 16, symmetric: false }], [{ bits: 4, groupSize: 16, symmetric: true }]] as const)(
    'is that of the loss with codes held (%o)',
    async (form) => {
      const rows = 6
      const padded = 64
      const data = weights(rows * padded, 11).map((value, at) => (at % padded < width ? value : 0))
      const session = await engine.createSession(scaleGradientGraph(padded, 16, form).toBytes())
      const gram = new Float32Array(padded * padded)
      for (let row = 0; row < width; row++) {
        gram.set(stats.gram.subarray(row * width, (row + 1) * width), row * padded)
      }
      const scale = Float32Array.from({ length: padded }, (_, at) => 0.8 + (at % 7) * 0.07)
      const vector = (values: Float32Array) => ({ dtype: 'float32' as const, shape: [padded], data: values })
      const { gradient, loss } = await session.run({
        weight: { dtype: 'float32', shape: [rows, padded], data },
        gram: { dtype: 'float32', shape: [padded, padded], data: gram },
        scale: vector(scale),
        inverse: vector(scale.map((value) => 1 / value)),
      })
      // Rounding errors in units of the step stay what they are while a scale moves a little: the estimate's model.
      const spread = (factors: Float32Array) => groupRanges(scaleColumns(data, factors), [rows, padded], form)
      const stepOf = ({ low, high }: ReturnType<typeof spread>, group: number) =>
        form.symmetric ? 2 * Math.max(-low[group]!, high[group]!) : high[group]! - low[group]!
      const steps = (factors: Float32Array) =>
        Float64Array.from({ length: rows * 4 }, (_, g) => stepOf(spread(factors), g))
      const exact = scaleColumns(data, scale)
      const rounded = dequantize(roundRtn(exact, [rows, padded], form))
      const before = steps(scale)
      const modelled = (factors: Float32Array) => {
        const after = steps(factors)
        const error = Float64Array.from(exact, (value, at) => {
          const group = Math.floor(at / 16)
          return (((rounded[at]! - value) / before[group]!) * after[group]!) / factors[at % padded]!
        })
        return traceLoss(error, gram, padded)
      }
      expect(Math.abs((loss!.data[0] as number) / modelled(scale) - 1)).toBeLessThan(1e-4)
      const size = 1e-3
      for (const column of [0, 4, 13, 31, 40, 55]) {
        const at = (sign: number) => modelled(scale.with(column, scale[column]! * Math.exp(sign * size)))
        const expected = (at(1) - at(-1)) / (2 * size)
        expect(Math.abs((gradient!.data[column] as number) - expected)).toBeLessThan(1e-3 * modelled(scale))
      }
      await session.dispose()
    },
  )

  it('does better than where it starts', async () => {
    const start = await searchScale(engine, base())
    const found = await searchScale(engine, { ...base(), strategy: gradientStrategy() })
    expect(found.loss).toBeLessThan(start.loss)
  })

  it('refuses no steps', () => {
    expect(() => gradientStrategy({ steps: 0 })).toThrow(/steps and a rate/)
    expect(() => gradientStrategy({ rate: Number.NaN })).toThrow(/steps and a rate/)
  })
})
