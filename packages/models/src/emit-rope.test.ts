import { Graph } from '@awq/onnx'
import { createEngine, type Engine } from '@awq/ort'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ModelDescription } from './describe.ts'
import { emitRopeTables } from './emit-rope.ts'
import { ropeFeeds } from './sequence.ts'

const rope = { theta: 10000, scaling: { type: 'default' }, width: 8, span: 8 }
const description = { sequence: { ropes: [{ rope, headDim: 8, scale: 1 }] } } as unknown as ModelDescription

let engine: Engine
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
})
afterAll(() => engine.dispose())

test('tables of exported graphs: the first rows have the bits of our feeds, late ones are as near as float32 is', async () => {
  const positions = 9000
  const graph = new Graph('rope')
  const [tables] = emitRopeTables(graph, description, 'fused', positions, 'float32')
  graph.output('cos', tables!.cos)
  graph.output('sin', tables!.sin)
  await using session = await engine.createSession(graph.toBytes())
  const made = await session.run({})
  const feeds = ropeFeeds(description, 'fused', positions)
  for (const name of ['cos', 'sin']) {
    const [own, expected] = [made[name]!.data as Float32Array, feeds[`rope.${name}`]!.data as Float32Array]
    expect(own).toHaveLength(expected.length)
    const apart = own.map((value, i) => Math.abs(value - expected[i]!))
    expect(Math.max(...apart.subarray(0, 2048 * 4))).toBe(0)
    expect(apart.reduce((a, b) => Math.max(a, b))).toBeLessThan(2e-7)
  }
})

test('no node computes in float64, which ONNX Runtime Web with WebGPU does not have', () => {
  const graph = new Graph('rope')
  const made: string[] = []
  const add = graph.add.bind(graph)
  graph.add = ((...args: Parameters<typeof add>) => {
    const value = add(...args)
    made.push(value.dtype)
    return value
  }) as typeof graph.add
  emitRopeTables(graph, description, 'fused', 4096, 'float16')
  expect(made.length).toBeGreaterThan(0)
  expect(made).not.toContain('float64')
})
