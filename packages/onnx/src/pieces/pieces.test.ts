import { describe, expect, it } from 'vitest'
import { float32, runGraph } from '../fixtures/run.ts'
import { Graph } from '../graph.ts'
import type { Value } from '../types.ts'
import { int64s, scalar } from './constants.ts'
import { reshape, slice } from './layout.ts'

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

describe('small pieces', () => {
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
