import { describeModel, floatForward, forwardLogits } from '@awq/models'
import { Graph } from '@awq/onnx'
import { createEngine } from '@awq/ort'
import { openStore, type QuantSpec, readMatrix } from '@awq/quantize'
import { memoryFolder, openCheckpoint } from '@awq/tensor'
import { describe, expect, it } from 'vitest'
import { blockBinding } from './bindings.ts'
import { createConversation } from './conversation.ts'
import { packModel, tinyConfig } from './fixtures/tiny-model.ts'
import { type OpenedModel, openModel } from './open-model.ts'
import { createRandom } from './random.ts'
import { storeTable } from './store-table.ts'
import { locateWeights } from './weight-links.ts'

const engine = await createEngine({ threads: 1 })
const description = describeModel(tinyConfig())
const ids = Int32Array.from({ length: 40 }, (_, i) => (i * 31 + 7) % 97)
const isTable = (name: string) => name.includes('embed')

/** A random order of `width` inputs; the same for the same seed. */
const shuffled = (width: number, seed: number): Int32Array => {
  const random = createRandom(seed)
  const order = Int32Array.from({ length: width }, (_, i) => i)
  for (let i = width - 1; i > 0; i--) {
    const other = Math.floor(random.next() * (i + 1))
    ;[order[i], order[other]] = [order[other]!, order[i]!]
  }
  return order
}

const distance = (actual: Float32Array, expected: Float32Array): number => {
  const largest = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 1)
  return actual.reduce((most, x, i) => Math.max(most, Math.abs(x - expected[i]!)), 0) / largest
}

const servedLogits = async (model: OpenedModel): Promise<Float32Array> => {
  await using session = await model.openDecoder({ attention: 'fused' })
  const conversation = createConversation(session, model.description, { engine, attention: 'fused', dtype: 'float32' })
  const logits = await conversation.extend([...ids], {})
  conversation.dispose()
  return logits
}

type OrderOf = (name: string, width: number) => Int32Array | undefined
const alike: OrderOf = (name, width) => (isTable(name) ? undefined : shuffled(width, width))
const own: OrderOf = (name, width) => (isTable(name) ? undefined : shuffled(width, name.length * width))
const some: OrderOf = (name, width) => (/k_proj|up_proj|down/.test(name) ? shuffled(width, 5) : undefined)

describe.each<[string, QuantSpec, OrderOf]>([
  ['that siblings share', { bits: 4, groupSize: 32, symmetric: false }, alike],
  ['of their own', { bits: 4, groupSize: 16, symmetric: true }, own],
  ['that some have', { bits: 8, groupSize: 32, symmetric: false }, some],
])('a store whose columns are in an order %s', (_, spec, orderOf) => {
  it('equals the float model of its dequantized values', async () => {
    const packed = await packModel(tinyConfig(), (name) => (isTable(name) ? undefined : spec), undefined, orderOf)
    await using checkpoint = await openCheckpoint(packed.dequantized)
    await using forward = floatForward(engine, checkpoint, description)
    const expected = (await forwardLogits(forward, ids)).data as Float32Array
    await using model = await openModel(memoryFolder(packed.files), engine)
    await using quantized = model.forward()
    expect(distance((await forwardLogits(quantized, ids)).data as Float32Array, expected)).toBeLessThan(2e-4)
    const width = description.config.vocabSize
    expect(distance(await servedLogits(model), expected.subarray(-width))).toBeLessThan(2e-4)
    await using fast = await openModel(memoryFolder(packed.files), engine, { accuracy: 'fast' })
    expect(distance(await servedLogits(fast), expected.subarray(-width))).toBeLessThan(0.1)
  })
})

const spec: QuantSpec = { bits: 4, groupSize: 32, symmetric: false }
const nodesOf = async (orderOf: OrderOf): Promise<string[]> => {
  const { files } = await packModel(tinyConfig(), (name) => (isTable(name) ? undefined : spec), undefined, orderOf)
  await using store = await openStore(memoryFolder(files))
  const table = storeTable('tiny', store)
  const links = (await locateWeights(memoryFolder(files), table.files, engine)).links()
  const graph = new Graph('linears')
  const x = graph.input('x', 'float32', [1, 'sequence', 72])
  const { linears } = description.blocks[0]!
  const siblings = linears.filter(({ site }) => site === linears[0]!.site)
  blockBinding({ description, table, accuracy: 'exact' }, links, 0).linears(graph, x, siblings)
  return graph.nodes.map(({ op }) => op)
}

describe('siblings', () => {
  it('in one order are one product behind one Gather', async () => {
    expect(await nodesOf(alike)).toEqual(['Gather', 'Cast', 'MatMulNBits'])
  })

  it('in orders of their own are products of their own', async () => {
    const seedOf = (name: string) => ['q_proj', 'k_proj', 'v_proj'].findIndex((own) => name.includes(own)) + 1
    const nodes = await nodesOf((name, width) => (isTable(name) ? undefined : shuffled(width, seedOf(name))))
    expect(nodes.filter((op) => op === 'Gather')).toHaveLength(3)
    expect(nodes.filter((op) => op === 'MatMulNBits')).toHaveLength(3)
  })
})

describe('an order in a store', () => {
  const small = () => packModel(tinyConfig(), (name) => (isTable(name) ? undefined : spec), undefined, alike)
  const target = 'model.layers.0.self_attn.q_proj.weight'

  it('comes back with the matrix', async () => {
    await using store = await openStore(memoryFolder((await small()).files))
    expect((await readMatrix(store, target)).inputOrder).toEqual(alike(target, 72))
  })

  it('is refused when the manifest does not mention it, or mentions one that is not there', async () => {
    const { files } = await small()
    const manifest = JSON.parse(files['quantization.json'] as string)
    delete manifest.matrices[target].inputOrder
    const changed = { ...files, 'quantization.json': JSON.stringify(manifest) }
    await expect(openStore(memoryFolder(changed))).rejects.toThrow(/q_proj.*order of inputs that the manifest does not/)
    const { files: plain } = await packModel(tinyConfig(), (name) => (isTable(name) ? undefined : spec))
    manifest.matrices[target].inputOrder = true
    const none = { ...plain, 'quantization.json': JSON.stringify(manifest) }
    await expect(openStore(memoryFolder(none))).rejects.toThrow(/no tensor .*inputOrder/)
  })

  it('is refused when it names an input twice', async () => {
    const { files } = await small()
    const bytes = (files['model.safetensors'] as Uint8Array).slice()
    const order = new Uint8Array(alike(target, 72)!.buffer)
    const at = Buffer.from(bytes).indexOf(Buffer.from(order))
    expect(at).toBeGreaterThan(0)
    bytes.copyWithin(at, at + 4, at + 8)
    await expect(openStore(memoryFolder({ ...files, 'model.safetensors': bytes }))).rejects.toThrow(/two columns/)
  })
})
