import { readdirSync, readFileSync } from 'node:fs'
import type { Graph, GraphNode } from '@awq/onnx'
import { expect, test } from 'vitest'
import { describeModel } from './describe.ts'
import type { BlockDescription, ScaleGroup } from './describe-block.ts'
import { families } from './families/index.ts'
import { inputBinding } from './float-weights.ts'
import { emitForwardBlock } from './forward.ts'

/** Operators of one value whose output scales with it, so that a positive scale passes through them. */
const passing = new Set(['Mul', 'Reshape', 'Transpose', 'Split', 'Relu'])

/** Names of the inputs that begin with a base name: its weight and bias. */
const named = (base: string) => (name: string) => name === `${base}.weight` || name === `${base}.bias`

/** The linears that read what a parameter makes, found by walking the graph; a reader that is none is an error. */
const readersOf = (graph: Graph, weights: ReadonlySet<string>, from: string): Set<string> => {
  const transposed = new Map<string, string>()
  for (const node of graph.nodes)
    if (node.op === 'Transpose' && weights.has(node.inputs[0]!)) transposed.set(node.outputs[0]!, node.inputs[0]!)
  const inputs = new Set(graph.inputs.map(({ name }) => name))
  const readers = new Set<string>()
  const walk = (value: string): void => {
    for (const node of graph.nodes.filter((candidate) => candidate.inputs.includes(value))) {
      const weight = node.op === 'MatMul' ? transposed.get(node.inputs[1]!) : undefined
      // A bias is divided with the rows of its linear.
      const biased = node.op === 'Add' && node.inputs.some((name) => name !== value && inputs.has(name ?? ''))
      if (weight) readers.add(weight.replace(/\.weight$/, ''))
      else if (passing.has(node.op) || biased || readsValues(node, value)) for (const made of node.outputs) walk(made)
      else throw new Error(`${from} is read by ${node.op} ${node.name}, which no scale passes through`)
    }
  }
  const own = named(from)
  const maker = graph.nodes.find(
    ({ op, inputs: read }) =>
      op !== 'Transpose' &&
      read.some((input) => input && (own(input) || (op === 'MatMul' && own(transposed.get(input) ?? '')))),
  )!
  // One plus a weight is made before the norm reads it.
  const offset = maker.op === 'Add' && maker.inputs.includes(`${from}.weight`)
  const norm = graph.nodes.find(({ inputs: read }) => offset && read.includes(maker.outputs[0]!))
  walk((norm ?? maker).outputs[0]!)
  return readers
}

/** Attention's second product is linear in the values, not in the weights it mixes them with. */
const readsValues = (node: GraphNode, value: string): boolean => node.op === 'MatMul' && node.inputs[1] === value

const check = (block: BlockDescription): void => {
  const graph = emitForwardBlock(block, inputBinding())
  const weights = new Set<string>(block.linears.map(({ name }) => `${name}.weight`))
  for (const { producer, consumers } of block.scaleGroups.filter((group) => !isFused(block, group)))
    expect([...readersOf(graph, weights, producer)].sort(), producer).toEqual([...consumers].sort())
}

/** Only some rows of the producer are divided: a walk would follow the others too. Folding proves these, in test/families. */
const isFused = ({ linears }: BlockDescription, { producer, producerRow }: ScaleGroup): boolean => {
  const rows = linears.find(({ name }) => name === producer)?.shape[0]
  return rows !== undefined && new Set(producerRow).size < rows
}

const describeFixture = (): BlockDescription =>
  describeModel(JSON.parse(readFileSync(new URL('fixtures/plain/config.json', import.meta.url), 'utf8'))).blocks[0]!

const checkpoints = new URL('../../../test/fixtures/models/', import.meta.url)
const configs = readdirSync(checkpoints).flatMap((name) => {
  const json = JSON.parse(readFileSync(new URL(`${name}/config.json`, checkpoints), 'utf8'))
  const known = families.some(({ modelTypes }) => modelTypes.includes(json.model_type))
  return known && !json.quantization_config ? [[name, json] as const] : []
})

test.each(configs)('a scale group lists every reader of its producer, as the emitted graph has them: %s', (_, json) => {
  for (const block of new Set(describeModel(json).blocks)) check(block)
})

test.each(configs)('every linear is in one scale group, but where nothing can absorb: %s', (_, json) => {
  for (const { linears, scaleGroups } of describeModel(json).blocks) {
    const consumers = scaleGroups.flatMap((group) => group.consumers)
    expect(new Set(consumers).size).toBe(consumers.length)
    const left = linears.map(({ name }) => name).filter((name) => !consumers.includes(name))
    // What is clipped on its way is no multiple of the values.
    expect(left.filter((name) => !(clips(json) && /(o_proj|out_proj)$/.test(name)))).toEqual([])
  }
})
const clips = (json: { clip_qkv?: number | null; attn_config?: { clip_qkv?: number | null } }): boolean =>
  typeof (json.clip_qkv ?? json.attn_config?.clip_qkv) === 'number'

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
