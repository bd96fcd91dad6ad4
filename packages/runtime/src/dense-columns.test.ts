import { describeModel, floatForward, forwardLogits, type LinearSpec } from '@awq/models'
import { Graph } from '@awq/onnx'
import { createEngine, tensor } from '@awq/ort'
import { openStore, type QuantSpec, readMatrix } from '@awq/quantize'
import { dequantize, type Folder, memoryFolder, openCheckpoint } from '@awq/tensor'
import { describe, expect, it } from 'vitest'
import { type Accuracy, blockBinding } from './bindings.ts'
import { createConversation } from './conversation.ts'
import { packModel, tinyConfig } from './fixtures/tiny-model.ts'
import { type OpenedModel, openModel } from './open-model.ts'
import { storeTable } from './store-table.ts'
import { weightBytesPerToken } from './weight-bytes.ts'
import { locateWeights, openLinked } from './weight-links.ts'

const engine = await createEngine({ threads: 1 })
const description = describeModel(tinyConfig())
const ids = Int32Array.from({ length: 40 }, (_, i) => (i * 31 + 7) % 97)
const isTable = (name: string) => name.includes('embed')

const distance = (actual: Float32Array, expected: Float32Array): number => {
  expect(actual.length).toBe(expected.length)
  const largest = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 1)
  return actual.reduce((most, x, i) => Math.max(most, Math.abs(x - expected[i]!)), 0) / largest
}

const referenceLogits = async (folder: Folder): Promise<Float32Array> => {
  await using checkpoint = await openCheckpoint(folder)
  await using forward = floatForward(engine, checkpoint, description)
  return (await forwardLogits(forward, ids)).data as Float32Array
}

const forwardOf = async (model: OpenedModel): Promise<Float32Array> => {
  await using forward = model.forward()
  return (await forwardLogits(forward, ids)).data as Float32Array
}

/** Logits of the serving graph, the prompt in two parts so that the cache is read. */
const servedLogits = async (model: OpenedModel, dtype: 'float32' | 'float16' = 'float32'): Promise<Float32Array> => {
  await using session = await model.openDecoder({ attention: 'fused', dtype })
  const conversation = createConversation(session, model.description, { engine, attention: 'fused', dtype })
  await conversation.extend([...ids.subarray(0, 29)], {})
  const logits = await conversation.extend([...ids.subarray(29)], {})
  conversation.dispose()
  return logits
}

const columnsOf = (name: string, width: number) =>
  isTable(name) ? undefined : Int32Array.of(1, 9, Math.floor(width / 2), width - 1)

describe.each<[string, QuantSpec, typeof columnsOf]>([
  ['4 bits', { bits: 4, groupSize: 32, symmetric: false }, columnsOf],
  ['3 bits symmetric', { bits: 3, groupSize: 16, symmetric: true }, columnsOf],
  ['2 bits', { bits: 2, groupSize: 32, symmetric: false }, columnsOf],
  ['8 bits per channel', { bits: 8, groupSize: -1, symmetric: false }, columnsOf],
  [
    'siblings that keep other columns',
    { bits: 4, groupSize: 32, symmetric: false },
    (name, width) => columnsOf(name, /k_proj|up_proj/.test(name) ? width - 7 : width),
  ],
  [
    'some matrices without',
    { bits: 4, groupSize: 32, symmetric: false },
    (name, width) => (/v_proj|down/.test(name) ? undefined : columnsOf(name, width)),
  ],
])('a store with columns that stay float: %s', (_, spec, denseOf) => {
  it('equals the float model of its dequantized values, exact and nearly so when fast', async () => {
    const packed = await packModel(tinyConfig(), (name) => (isTable(name) ? { ...spec, bits: 8 } : spec), denseOf)
    const expected = await referenceLogits(packed.dequantized)
    await using exact = await openModel(memoryFolder(packed.files), engine)
    expect(distance(await forwardOf(exact), expected)).toBeLessThan(2e-4)
    expect(distance(await servedLogits(exact), expected)).toBeLessThan(2e-4)
    expect(distance(await servedLogits(exact, 'float16'), expected)).toBeLessThan(1e-2)
    await using fast = await openModel(memoryFolder(packed.files), engine, { accuracy: 'fast' })
    expect(distance(await forwardOf(fast), expected)).toBeLessThan(0.1)
    expect(distance(await servedLogits(fast), expected)).toBeLessThan(0.1)
  })
})

const spec: QuantSpec = { bits: 4, groupSize: 32, symmetric: false }
const packed = await packModel(tinyConfig(), (name) => (isTable(name) ? { ...spec, bits: 8 } : spec), columnsOf)
const folder = memoryFolder(packed.files)

/** Binds linears of block 0 to a graph of their own. */
const productOf = async (linears: readonly LinearSpec[], accuracy: Accuracy) => {
  await using store = await openStore(folder)
  const table = storeTable('tiny', store)
  let operators: string[] = []
  const session = await openLinked(engine, await locateWeights(folder, table.files, engine), (links) => {
    const graph = new Graph('product')
    const x = graph.input('x', 'float32', [1, 'rows', linears[0]!.shape[1]])
    const outputs = blockBinding({ description, table, accuracy }, links, 0).linears(graph, x, linears)
    for (const [i, output] of outputs.entries()) graph.output(`y${i}`, output)
    operators = graph.nodes.map(({ op }) => op)
    return graph
  })
  return { session, operators }
}

const named = (pattern: RegExp) => description.blocks[0]!.linears.filter(({ name }) => pattern.test(name))

it('siblings that keep the same columns are one product', async () => {
  for (const accuracy of ['exact', 'fast'] as const) {
    const { session, operators } = await productOf(named(/[qkv]_proj/), accuracy)
    await session.dispose()
    expect(operators.filter((op) => op === 'MatMulNBits' || op === 'MatMul' || op === 'Gather')).toHaveLength(3)
  }
})

it('fast products do not round the activations of these columns', async () => {
  const [linear] = named(/down_proj/)
  const [out, width] = linear!.shape
  const x = Float32Array.from({ length: width }, (_, i) => Math.sin(i))
  // Two hundred times the others: rounded to 8 bits with it, they would all but vanish.
  x[9] = 200
  await using store = await openStore(folder)
  const weight = dequantize(await readMatrix(store, description.parameter(0, `${linear!.name}.weight`)))
  const expected = Float32Array.from({ length: out }, (_, row) =>
    x.reduce((sum, value, i) => sum + value * weight[row * width + i]!, 0),
  )
  const { session } = await productOf([linear!], 'fast')
  const { y0 } = await session.run({ x: tensor('float32', [1, 1, width], x) })
  await session.dispose()
  const worst = (y0!.data as Float32Array).reduce((most, y, i) => Math.max(most, Math.abs(y - expected[i]!)), 0)
  expect(worst).toBeLessThan(0.02)
})

it('their bytes count among those of a token', async () => {
  const without = await packModel(tinyConfig(), (name) => (isTable(name) ? { ...spec, bits: 8 } : spec))
  const rows = description.blocks[0]!.linears.reduce((sum, { shape }) => sum + shape[0], 0) * description.config.layers
  const more = (await weightBytesPerToken(folder)) - (await weightBytesPerToken(memoryFolder(without.files)))
  expect(more).toBe(rows * 4 * 4)
})
