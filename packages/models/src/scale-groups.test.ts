import { readFileSync } from 'node:fs'
import type { Graph, GraphNode } from '@awq/onnx'
import { expect, test } from 'vitest'
import { describeModel } from './describe.ts'
import type { BlockDescription } from './describe-block.ts'
import { inputBinding } from './float-weights.ts'
import { emitForwardBlock } from './forward.ts'

/** Operators whose output scales with the input that the walk comes from, so that a scale passes through them. */
const passing = new Set(['Mul', 'Reshape', 'Transpose', 'Split'])

/** The linears that read what a parameter makes, found by walking the graph; a reader that is none is an error. */
const readersOf = (graph: Graph, weights: ReadonlySet<string>, from: string): Set<string> => {
  const transposed = new Map<string, string>()
  for (const node of graph.nodes)
    if (node.op === 'Transpose' && weights.has(node.inputs[0]!)) transposed.set(node.outputs[0]!, node.inputs[0]!)
  const readers = new Set<string>()
  const walk = (value: string): void => {
    for (const node of graph.nodes.filter(({ inputs }) => inputs.includes(value))) {
      const weight = node.op === 'MatMul' ? transposed.get(node.inputs[1]!) : undefined
      if (weight) readers.add(weight.replace(/\.weight$/, ''))
      else if (passing.has(node.op) || readsValues(node, value)) walk(node.outputs[0]!)
      else throw new Error(`${from} is read by ${node.op} ${node.name}, which no scale passes through`)
    }
  }
  const maker = graph.nodes.find(
    ({ op, inputs }) =>
      inputs.some(
        (input) => input === `${from}.weight` || (op === 'MatMul' && transposed.get(input) === `${from}.weight`),
      ) && op !== 'Transpose',
  )!
  walk(maker.outputs[0]!)
  return readers
}

/** Attention's second product is linear in the values, not in the weights it mixes them with. */
const readsValues = (node: GraphNode, value: string): boolean => node.op === 'MatMul' && node.inputs[1] === value

const check = (description: BlockDescription): void => {
  const graph = emitForwardBlock(description, inputBinding())
  const weights = new Set<string>(description.linears.map(({ name }) => `${name}.weight`))
  for (const { producer, consumers } of description.scaleGroups)
    expect([...readersOf(graph, weights, producer)].sort(), producer).toEqual([...consumers].sort())
}

const describeFixture = (): BlockDescription =>
  describeModel(JSON.parse(readFileSync(new URL('fixtures/plain/config.json', import.meta.url), 'utf8'))).blocks[0]!

test('a scale group lists every reader of its producer, as the emitted graph has them', () => {
  check(describeFixture())
})

test('a reader that is left out is noticed', () => {
  const description = describeFixture()
  const scaleGroups = description.scaleGroups.map((group) =>
    group.producer === 'input_layernorm' ? { ...group, consumers: group.consumers.slice(1) } : group,
  )
  expect(() => check({ ...description, scaleGroups })).toThrow('input_layernorm')
})

test('a producer whose output is read by something no scale passes through is noticed', () => {
  const description = describeFixture()
  const scaleGroups = description.scaleGroups.map((group) =>
    group.producer === 'mlp.up_proj' ? { ...group, producer: 'mlp.gate_proj' } : group,
  )
  expect(() => check({ ...description, scaleGroups })).toThrow('no scale passes through')
})

test('query heads that share a key head share the rows of the value projection', () => {
  const description = describeFixture() // 4 query heads, 2 key heads of width 8
  const { producerRow } = description.scaleGroups.find(({ kind }) => kind === 'value')!
  expect([...producerRow]).toEqual([0, 0, 8, 8].flatMap((start) => Array.from({ length: 8 }, (_, i) => start + i)))
})
