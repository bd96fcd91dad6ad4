import { describe, expect, it } from 'vitest'
import { float32, refused, runGraph } from './fixtures/run.ts'
import { Graph } from './graph.ts'

describe('Graph', () => {
  it('writes a graph that ONNX Runtime runs', async () => {
    const graph = new Graph('tiny')
    const x = graph.input('x', 'float32', ['rows', 3])
    const weight = graph.constant('float32', [3, 2], [1, 0, 0, 1, 2, 2])
    const product = graph.add('MatMul', [x, weight])
    expect(product.shape).toEqual(['rows', 2])
    graph.output('y', graph.add('Add', [product, graph.constant('float32', [], [10])]))
    const { y } = await runGraph(graph, { x: float32([1, 2, 3, 4, 5, 6], [2, 3]) })
    expect(y?.dims).toEqual([2, 2])
    expect([...y!.data]).toEqual([17, 18, 26, 27])
  })

  it('names graph, node, operator and shapes when shapes contradict', () => {
    const graph = new Graph('block')
    const x = graph.input('x', 'float32', ['rows', 128])
    const y = graph.input('y', 'float32', [64, 32])
    const error = refused(() => graph.add('MatMul', [x, y], {}, { name: 'q_proj' }))
    expect(error.code).toBe('INVALID_ARGUMENT')
    for (const part of ['block', 'q_proj', 'MatMul', 'float32[rows, 128]', 'float32[64, 32]']) {
      expect(error.message).toContain(part)
    }
  })
})
