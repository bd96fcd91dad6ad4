import type { ModelDescription } from '@awq/models'
import { Graph } from '@awq/onnx'
import { expect, test } from 'vitest'
import { checkLimits, contextInLimits } from './device-limits.ts'

const limits = { bufferBytes: 2 ** 20, bindingBytes: 2 ** 14 }

test('a context is as long as the widest layer has room for', () => {
  const blocks = [{ attention: { kvHeads: 2, headDim: 8 } }, { attention: { kvHeads: 2, headDim: 8, valueDim: 16 } }]
  const description = { blocks } as unknown as ModelDescription
  expect(contextInLimits(description, 'float32', limits)).toBe(128)
  expect(contextInLimits(description, 'float16', limits)).toBe(256)
  expect(contextInLimits(description, 'float32', undefined)).toBe(Number.POSITIVE_INFINITY)
})

test('a tensor counts in the type that the graph makes of it', () => {
  const graph = new Graph('table')
  const table = graph.external('table', 'float16', [96, 64], { file: 'w', offset: 0, length: 96 * 64 * 2 })
  const rows = graph.add('Gather', [graph.add('Cast', [table], { to: 'float32' }), graph.input('ids', 'int64', [1])])
  graph.output('y', rows)
  expect(() => checkLimits(graph, limits)).toThrow(/^table takes 1 MB as float32/)
  expect(() => checkLimits(graph, { ...limits, bindingBytes: 2 ** 15 })).not.toThrow()
})
