import { roundHalfEven as roundNumber } from '@awq/tensor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { float32, runGraph } from '../fixtures/run.ts'
import { Graph } from '../graph.ts'
import type { Value } from '../types.ts'
import { silu } from './activate.ts'
import { int64s, scalar } from './constants.ts'
import { reshape, slice } from './layout.ts'
import { rmsNorm } from './normalize.ts'
import { roundHalfEven } from './round.ts'

/** What a piece computes of float32 data. */
async function computed(data: readonly number[], dims: readonly number[], build: (graph: Graph, x: Value) => Value) {
  const graph = new Graph('piece')
  const x = graph.input('x', 'float32', dims)
  const value = build(graph, x)
  graph.output('y', value)
  const { y } = await runGraph(graph, { x: float32(data, dims) })
  expect(y!.dims).toEqual(value.shape)
  return [...y!.data]
}

describe('roundHalfEven', () => {
  const ties = [-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5, 4194303.5, -4194304.5]
  const nearTies = [-1, 0, 1, 2, 3].flatMap((x) => [x + 0.5 - 2 ** -22, x + 0.5 + 2 ** -22])
  const edges = [-(0.5 - 2 ** -25), 0.5 - 2 ** -25, -(0.5 + 2 ** -24), -1e-30, 1e-30, 0, 8388607, 1e30, -1e30]
  const random = fc.sample(fc.float({ noNaN: true, noDefaultInfinity: true }), { numRuns: 2000, seed: 1 })
  const small = fc.sample(fc.float({ min: -8, max: 8, noNaN: true }), { numRuns: 2000, seed: 2 })
  const data = [...Float32Array.from([...ties, ...nearTies, ...edges, ...random, ...small])]
  it.each([true, false])('rounds ties to even, native: %s', async (native) => {
    const rounded = await computed(data, [data.length], (graph, x) => roundHalfEven(graph, x, { native }))
    const wrong = data.flatMap((x, i) => (rounded[i]! === roundNumber(x) ? [] : [[x, rounded[i]]]))
    expect(wrong).toEqual([])
  })
})

describe('rmsNorm', () => {
  it.each([true, false])('normalizes the last axis, fused: %s', async (fused) => {
    const data = [3, 4, 0, 0, 1, 1, 1, 1]
    const result = await computed(data, [2, 4], (graph, x) =>
      rmsNorm(graph, x, graph.constant('float32', [4], [1, 2, 1, 1]), { epsilon: 0.25, fused }),
    )
    const deviations = [Math.sqrt(25 / 4 + 0.25), Math.sqrt(1.25)]
    const expected = data.map((x, i) => (x * (i % 4 === 1 ? 2 : 1)) / deviations[Math.floor(i / 4)]!)
    for (const [i, value] of expected.entries()) expect(result[i]).toBeCloseTo(value, 6)
  })
})

describe('small pieces', () => {
  it('computes silu', async () => {
    const [zero, one, low] = await computed([0, 1, -1], [3], silu)
    expect(zero).toBe(0)
    expect(one).toBeCloseTo(1 / (1 + Math.exp(-1)), 6)
    expect(low).toBeCloseTo(-1 / (1 + Math.exp(1)), 6)
  })

  it('reshapes and slices', async () => {
    expect(await computed([1, 2, 3, 4, 5, 6], [2, 3], (graph, x) => reshape(graph, x, [-1, 2]))).toEqual([
      1, 2, 3, 4, 5, 6,
    ])
    expect(await computed([1, 2, 3, 4, 5, 6], [2, 3], (graph, x) => slice(graph, x, { axis: 1, start: -2 }))).toEqual([
      2, 3, 5, 6,
    ])
    expect(await computed([1, 2, 3], [3], (graph, x) => slice(graph, x, { axis: 0, start: 0, end: 1 }))).toEqual([1])
  })

  it('makes a scalar and an int64 vector once per graph', () => {
    const [a, b] = [new Graph('a'), new Graph('b')]
    expect(scalar(a, 'float32', 2)).toBe(scalar(a, 'float32', 2))
    expect(scalar(a, 'float32', 0)).not.toBe(scalar(a, 'float32', -0))
    expect(scalar(a, 'float32', 2)).not.toBe(scalar(a, 'int64', 2))
    expect(scalar(a, 'float32', 2)).not.toBe(scalar(b, 'float32', 2))
    expect(int64s(a, [1, 2])).toBe(int64s(a, [1, 2]))
    expect(int64s(a, [12])).not.toBe(int64s(a, [1, 2]))
  })
})
