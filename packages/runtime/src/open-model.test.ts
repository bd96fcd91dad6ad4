import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type ActivationType,
  type AttentionForm,
  describeModel,
  emitForwardBlock,
  floatForward,
  forwardLogits,
  fusedIsPossible,
  type ModelDescription,
} from '@awq/models'
import { createEngine } from '@awq/ort'
import { openStore, type QuantSpec } from '@awq/quantize'
import { type Folder, memoryFolder, openCheckpoint } from '@awq/tensor'
import { openFolder } from '@awq/tensor/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blockBinding } from './bindings.ts'
import { createConversation } from './conversation.ts'
import { floatFiles, packModel, randomParameters, tinyConfig } from './fixtures/tiny-model.ts'
import { type OpenedModel, openModel } from './open-model.ts'
import { storeTable } from './store-table.ts'
import { locateWeights } from './weight-links.ts'

const engine = await createEngine({ threads: 1 })
const ids = Array.from({ length: 40 }, (_, i) => (i * 31 + 7) % 97)

let directory = ''
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'awq-runtime-'))
})
afterAll(() => rm(directory, { recursive: true }))

const distance = (actual: Float32Array, expected: Float32Array): number => {
  expect(actual.length).toBe(expected.length)
  let largest = 1
  let difference = 0
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]!))
    difference = Math.max(difference, Math.abs(actual[i]! - expected[i]!))
  }
  return difference / largest
}

/** The reference: the float forward pass over a checkpoint. */
const referenceLogits = async (folder: Folder, description: ModelDescription): Promise<Float32Array> => {
  await using checkpoint = await openCheckpoint(folder)
  await using forward = floatForward(engine, checkpoint, description)
  return (await forwardLogits(forward, Int32Array.from(ids))).data as Float32Array
}

const forwardOf = async (model: OpenedModel): Promise<Float32Array> => {
  await using forward = model.forward()
  return (await forwardLogits(forward, Int32Array.from(ids))).data as Float32Array
}

/** Logits of the serving graph, the prompt in two parts so that the cache is read. */
const servedLogits = async (
  model: OpenedModel,
  attention: AttentionForm,
  dtype: ActivationType = 'float32',
): Promise<Float32Array> => {
  await using session = await model.openDecoder({ attention, dtype })
  const conversation = createConversation(session, model.description, { engine, attention, dtype })
  await conversation.extend(ids.slice(0, 29), {})
  const logits = await conversation.extend(ids.slice(29), {})
  conversation.dispose()
  return logits
}

const onDisk = async (name: string, files: Record<string, Uint8Array | string>): Promise<Folder> => {
  const path = join(directory, name)
  await mkdir(path)
  for (const [file, data] of Object.entries(files)) await writeFile(join(path, file), data)
  return openFolder(path)
}

const spec = (bits: QuantSpec['bits'], groupSize: number, symmetric = false): QuantSpec => ({
  bits,
  groupSize,
  symmetric,
})
const head = (name: string) => /embed|lm_head/.test(name)

describe.each<[string, Record<string, unknown>, (name: string) => QuantSpec | undefined]>([
  ['4 bits, group 32, tied 8-bit table', {}, (name) => spec(head(name) ? 8 : 4, 32)],
  [
    '4 bits symmetric, separate head at 16 bits',
    { tie_word_embeddings: false },
    (name) => (head(name) ? undefined : spec(4, 16, true)),
  ],
  ['3 bits, group 64, 4-bit table', {}, (name) => spec(head(name) ? 4 : 3, 64)],
  ['3 bits symmetric', {}, (name) => spec(head(name) ? 8 : 3, 32, true)],
  ['8 bits per channel, group longer than the row', {}, () => spec(8, -1)],
  ['2 bits, bias everywhere', { attention_bias: true, mlp_bias: true }, (name) => spec(head(name) ? 8 : 2, 32)],
  ['siblings of different bits', {}, (name) => spec(/v_proj|up_proj/.test(name) ? 8 : 4, 32)],
  ['down projections kept in float', {}, (name) => (/down/.test(name) ? undefined : spec(4, 32))],
])('packed: %s', (name, changes, specOf) => {
  it('equals the float model of its dequantized values: block by block and serving, from memory and from disk', async () => {
    const packed = await packModel(tinyConfig(changes), specOf)
    const expected = await referenceLogits(packed.dequantized, describeModel(tinyConfig(changes)))
    for (const folder of [memoryFolder(packed.files), await onDisk(name.replaceAll(/\W/g, '-'), packed.files)]) {
      await using model = await openModel(folder, engine)
      expect(model.kind).toBe('quantized')
      expect(distance(await forwardOf(model), expected)).toBeLessThan(2e-4)
      expect(distance(await servedLogits(model, 'plain'), expected)).toBeLessThan(2e-4)
      expect(distance(await servedLogits(model, 'fused'), expected)).toBeLessThan(2e-4)
    }
    await using model = await openModel(memoryFolder(packed.files), engine)
    expect(distance(await servedLogits(model, 'plain', 'float16'), expected)).toBeLessThan(1e-2)
    expect(distance(await servedLogits(model, 'fused', 'float16'), expected)).toBeLessThan(1e-2)
  })
})

it('accuracy fast differs from exact, by little', async () => {
  const packed = await packModel(tinyConfig(), (name) => spec(head(name) ? 8 : 4, 32))
  const folder = memoryFolder(packed.files)
  await using exact = await openModel(folder, engine)
  await using fast = await openModel(folder, engine, { accuracy: 'fast' })
  const difference = distance(await servedLogits(fast, 'plain'), await servedLogits(exact, 'plain'))
  expect(difference).toBeGreaterThan(1e-4)
  expect(difference).toBeLessThan(0.1)
})

it('reads q, k, v and gate, up of a store as one product each', async () => {
  const packed = await packModel(tinyConfig(), (name) => spec(head(name) ? 8 : 4, 32))
  await using store = await openStore(memoryFolder(packed.files))
  const table = storeTable('tiny', store)
  const description = describeModel(tinyConfig())
  const files = await locateWeights(memoryFolder(packed.files), table.files, engine)
  const source = { description, table, accuracy: 'exact' } as const
  const graph = emitForwardBlock(description.blocks[1]!, blockBinding(source, files.links(), 1))
  const products = graph.nodes.filter(({ op }) => op === 'MatMulNBits')
  expect(products.map(({ attributes }) => [attributes.N, attributes.K, attributes.accuracy_level])).toEqual([
    [128, 72, 1],
    [72, 64, 1],
    [208, 72, 1],
    [72, 104, 1],
  ])
})

describe.each([8, 12, 16, 20, 24, 64, 80])('float, head width %i', (headDim) => {
  const possible = fusedIsPossible(describeModel(tinyConfig({ head_dim: headDim })))
  const forms = (['plain', 'fused'] as const).filter((form) => form === 'plain' || possible)
  it.each(forms)('serving with %s attention equals the forward pass', async (attention) => {
    const config = tinyConfig({ head_dim: headDim })
    const description = describeModel(config)
    const folder = memoryFolder(await floatFiles(config, randomParameters(description)))
    await using model = await openModel(folder, engine)
    expect(model.kind).toBe('float')
    const expected = await referenceLogits(folder, description)
    expect(distance(await servedLogits(model, attention), expected)).toBeLessThan(2e-4)
    expect(distance(await servedLogits(model, attention, 'float16'), expected)).toBeLessThan(1e-2)
  })
})

describe('float checkpoints', () => {
  it.each(['F32', 'F16', 'BF16'] as const)('run from %s weights that stay in the file', async (dtype) => {
    const config = tinyConfig({ tie_word_embeddings: false, attention_bias: true })
    const files = await floatFiles(config, randomParameters(describeModel(config)), dtype)
    const folder = await onDisk(`float-${dtype}`, files)
    await using model = await openModel(folder, engine)
    const expected = await referenceLogits(folder, model.description)
    expect(distance(await servedLogits(model, 'plain'), expected)).toBeLessThan(2e-4)
  })

  it('run from a cache of symbolic links, as the hub keeps them', async () => {
    const config = tinyConfig()
    const files = await floatFiles(config, randomParameters(describeModel(config)))
    const blobs = join(directory, 'blobs')
    const snapshot = join(directory, 'snapshot')
    await mkdir(blobs)
    await mkdir(snapshot)
    for (const [file, data] of Object.entries(files)) {
      await writeFile(join(blobs, `hash-of-${file}`), data)
      await symlink(join('..', 'blobs', `hash-of-${file}`), join(snapshot, file))
    }
    const folder = await openFolder(snapshot)
    await using model = await openModel(folder, engine)
    const expected = await referenceLogits(folder, model.description)
    expect(distance(await servedLogits(model, 'plain'), expected)).toBeLessThan(2e-4)
  })

  it.each<[string, (files: Record<string, Uint8Array | string>) => Record<string, Uint8Array | string>, RegExp]>([
    ['no config.json', ({ 'config.json': _, ...rest }) => rest, /no config.json/],
    ['a broken config.json', (files) => ({ ...files, 'config.json': '{' }), /config.json is not JSON/],
    [
      'another shape than config.json says',
      (files) => ({ ...files, 'config.json': JSON.stringify(tinyConfig({ hidden_size: 80, attention_bias: true })) }),
      /embed_tokens.weight has shape \[97, 72\].*\[97, 80\]/,
    ],
    [
      'a bias that config.json does not mention',
      (files) => ({ ...files, 'config.json': JSON.stringify(tinyConfig({ attention_bias: false })) }),
      /q_proj.bias is not used by a llama model/,
    ],
    [
      'a missing layer',
      (files) => ({
        ...files,
        'config.json': JSON.stringify(tinyConfig({ num_hidden_layers: 3, attention_bias: true })),
      }),
      /no tensor model.layers.2/,
    ],
  ])('are refused with %s', async (_, change, message) => {
    const config = tinyConfig({ attention_bias: true })
    const files = await floatFiles(config, randomParameters(describeModel(config)))
    await expect(openModel(memoryFolder(change(files)), engine)).rejects.toThrow(message)
  })
})
