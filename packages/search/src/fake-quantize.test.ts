import { Graph } from '@awq/onnx'
import { createEngine, type Engine, tensor } from '@awq/ort'
import { effectiveGroupSize, groupRanges, type QuantSpec, roundRtn } from '@awq/quantize'
import { dequantize } from '@awq/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { emitGrid, emitRanges, emitRounded } from './fake-quantize.ts'
import { noise } from './fixtures/data.ts'

let engine: Engine
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
})
afterAll(() => engine.dispose())

/** The graph's rounding of a weight whose width is a whole number of groups, its ranges shrunk by `ratio`. */
async function roundInGraph(weight: Float32Array, groupSize: number, spec: QuantSpec, ratio: number) {
  const graph = new Graph('round')
  const groups = graph.input('weight', 'float32', ['groups', groupSize])
  const { low, high } = emitRanges(graph, groups)
  const shrink = graph.constant('float32', [], [ratio])
  const grid = emitGrid(graph, graph.add('Mul', [low, shrink]), graph.add('Mul', [high, shrink]), spec)
  graph.output('rounded', emitRounded(graph, groups, grid, spec))
  const session = await engine.createSession(graph.toBytes())
  const input = tensor('float32', [weight.length / groupSize, groupSize], weight)
  const { rounded } = await session.run({ weight: input })
  await session.dispose()
  return rounded!.data as Float32Array
}

/** Rows of very different magnitudes: ordinary, multiples of a power of two (ties), one sign, tiny, all zero, huge. */
function hardWeights(rows: number, width: number, seed: number): Float32Array {
  const values = noise(rows * width, seed)
  const kinds: ((value: number) => number)[] = [
    (value) => value * 0.05,
    (value) => Math.round(value * 15) / 16,
    (value) => 0.5 + Math.abs(value) / 2,
    (value) => -0.1 - Math.abs(value),
    (value) => value * 2 ** -20,
    (value) => value * 2 ** -26,
    () => 0,
    (value) => value * 30000,
    (value) => (value > 0.98 ? 3 : value * 0.01),
  ]
  return Float32Array.from(values, (value, index) => kinds[Math.floor(index / width) % kinds.length]!(value))
}

describe('rounding in the graph', () => {
  const specs = [2, 3, 4, 8].flatMap((bits) =>
    [false, true].flatMap((symmetric) =>
      [16, 64, -1].map((groupSize) => ({ bits, symmetric, groupSize }) as QuantSpec),
    ),
  )
  it.each(specs)(
    'equals roundRtn to the last bit: $bits bits, symmetric $symmetric, group $groupSize',
    async (spec) => {
      const [rows, width] = [180, 192]
      const weight = hardWeights(rows, width, spec.bits)
      const groupSize = effectiveGroupSize(spec.groupSize, width)
      for (const ratio of [1, Math.fround(0.65)]) {
        const full = groupRanges(weight, [rows, width], spec)
        const ranges = { low: full.low.map((end) => end * ratio), high: full.high.map((end) => end * ratio) }
        const expected = dequantize(roundRtn(weight, [rows, width], spec, ranges))
        const actual = await roundInGraph(weight, groupSize, spec, ratio)
        // Equality of numbers: zero has two signs.
        const different = expected.findIndex((value, index) => value !== actual[index])
        if (different >= 0) {
          throw new Error(
            `weight ${weight[different]} in row ${Math.floor(different / width)}: ${actual[different]}, not ${expected[different]}`,
          )
        }
      }
    },
  )

  it('gives no finite weights where a scale leaves float16', async () => {
    const weight = new Float32Array(16).fill(3e6)
    const rounded = await roundInGraph(weight, 16, { bits: 4, groupSize: 16, symmetric: false }, 1)
    expect(rounded.every(Number.isFinite)).toBe(false)
  })
})
