import { describeModel, emitDecoder, floatForward, forwardLogits, type ModelDescription } from '@awq/models'
import { createEngine, type Engine, type Session, type Tensor } from '@awq/ort'
import { openStore, type QuantSpec } from '@awq/quantize'
import { memoryFolder, openCheckpoint } from '@awq/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blockBinding, outerBinding } from './bindings.ts'
import { type ConversationOptions, createConversation } from './conversation.ts'
import { packModel, tinyConfig } from './fixtures/tiny-model.ts'
import { type OpenedModel, openModel } from './open-model.ts'
import { storeTable } from './store-table.ts'
import { locateWeights } from './weight-links.ts'

const spec = (name: string): QuantSpec => ({ bits: /embed/.test(name) ? 8 : 4, groupSize: 32, symmetric: false })
const ids = Array.from({ length: 320 }, (_, i) => (i * 31 + 7) % 97)
const vocab = 97
const config = tinyConfig({ attention_bias: true })

const expectClose = (actual: ArrayLike<number>, expected: ArrayLike<number>): void => {
  expect(actual.length).toBe(expected.length)
  let [largest, difference] = [1, 0]
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]!))
    difference = Math.max(difference, Math.abs(actual[i]! - expected[i]!))
  }
  expect(difference / largest).toBeLessThan(2e-4)
}

describe.each(['native', 'onnxruntime-node'] as const)('conversations, %s', (name) => {
  describe.each(['plain', 'fused'] as const)('attention %s', (attention) => {
    let engine: Awaited<ReturnType<typeof createEngine>>
    let model: OpenedModel
    let session: Awaited<ReturnType<OpenedModel['openDecoder']>>
    let expected: Float32Array
    const row = (i: number) => expected.subarray(i * vocab, (i + 1) * vocab)
    const open = (options: Partial<ConversationOptions> = {}) =>
      createConversation(session, model.description, { engine, attention, ...options })

    beforeAll(async () => {
      engine = await createEngine({ threads: 1, engine: name })
      const packed = await packModel(config, spec)
      model = await openModel(memoryFolder(packed.files), engine)
      session = await model.openDecoder({ attention })
      await using checkpoint = await openCheckpoint(packed.dequantized)
      await using forward = floatForward(engine, checkpoint, describeModel(config))
      expected = (await forwardLogits(forward, Int32Array.from(ids), { all: true })).data as Float32Array
    })
    afterAll(async () => {
      await session.dispose()
      await model.dispose()
      await engine.dispose()
    })

    it('gives all logits, whatever the chunks', async () => {
      for (const chunk of [7, 64, 1000]) {
        const conversation = open({ chunk })
        expectClose(await conversation.extend(ids, { logits: 'all' }), expected)
        expect(conversation.length).toBe(ids.length)
        conversation.dispose()
      }
    })

    it('goes on token by token across a growth of the cache, and verifies drafts', async () => {
      const conversation = open()
      expectClose(await conversation.extend(ids.slice(0, 250), {}), row(249))
      for (let i = 250; i < 262; i++) expectClose(await conversation.extend([ids[i]!], {}), row(i))
      const draft = await conversation.extend(ids.slice(262, 266), { logits: 'all' })
      expectClose(draft, expected.subarray(262 * vocab, 266 * vocab))
      expectClose(await conversation.extend([ids[266]!], {}), row(266))
      conversation.dispose()
    })

    it('forgets what is cut off', async () => {
      const conversation = open({ expected: 300 })
      await conversation.extend([...ids.slice(0, 20), 1, 2, 3, 4], {})
      conversation.truncate(20)
      expect(conversation.length).toBe(20)
      expectClose(await conversation.extend([ids[20]!], {}), row(20))
      conversation.dispose()
    })

    it('keeps what was completed when it is aborted, and goes on', async () => {
      const controller = new AbortController()
      const reason = new Error('enough')
      const conversation = open({ chunk: 4 })
      await conversation.extend(ids.slice(0, 3), {})
      const extension = conversation.extend(ids.slice(3), { signal: controller.signal })
      setTimeout(() => controller.abort(reason), 2)
      await expect(extension).rejects.toBe(reason)
      const { length } = conversation
      expect((length - 3) % 4).toBe(0)
      expect(length).toBeLessThan(ids.length)
      expectClose(await conversation.extend(ids.slice(length, length + 9), {}), row(length + 8))
      conversation.dispose()
    })

    it('refuses what does not fit, nothing, and a second call at the same time', async () => {
      const conversation = open({ contextLength: 10 })
      await conversation.extend(ids.slice(0, 8), {})
      await expect(conversation.extend(ids.slice(0, 3), {})).rejects.toThrow(
        /context of 10 tokens is full: 8 are in use/,
      )
      await expect(conversation.extend([], {})).rejects.toThrow(/at least one token/)
      const running = conversation.extend([1], {})
      await expect(conversation.extend([2], {})).rejects.toThrow(/being extended/)
      expect(() => conversation.truncate(0)).toThrow(/being extended/)
      await running
      conversation.dispose()
      await expect(conversation.extend([1], {})).rejects.toThrow(/disposed/)
    })

    it('may be disposed while it runs', async () => {
      const conversation = open()
      const running = conversation.extend(ids.slice(0, 30), {})
      conversation.dispose()
      expectClose(await running, row(29))
    })
  })
})

it('a layer of the fused form over a store is ten nodes', async () => {
  const engine = await createEngine({ threads: 1 })
  const packed = await packModel(config, spec)
  await using model = await openModel(memoryFolder(packed.files), engine)
  const nodes = await emittedNodes(model, packed.files)
  const ofLayer = nodes.filter((op) => op !== 'Cast' && op !== 'Concat')
  const layer = [
    ...['MatMulNBits', 'GroupQueryAttention', 'MatMulNBits', 'SkipSimplifiedLayerNormalization'],
    ...['MatMulNBits', 'Split', 'QuickGelu', 'Mul', 'MatMulNBits', 'SkipSimplifiedLayerNormalization'],
  ]
  const start = ofLayer.indexOf('SimplifiedLayerNormalization') + 1
  expect(ofLayer.slice(start, start + 10)).toEqual(layer)
  await engine.dispose()
})

const emittedNodes = async (model: OpenedModel, files: Record<string, Uint8Array | string>): Promise<string[]> => {
  await using store = await openStore(memoryFolder(files))
  const source = { description: model.description, table: storeTable('tiny', store), accuracy: 'exact' } as const
  const links = (await locateWeights(memoryFolder(files), source.table.files, model.engine)).links()
  const binding = { outer: outerBinding(source, links), block: (layer: number) => blockBinding(source, links, layer) }
  return emitDecoder(model.description, binding, { attention: 'fused' }).nodes.map(({ op }) => op)
}

it('gives all logits where long rows of scores make the chunks shorter than asked for', async () => {
  // A session that answers each token by its own id.
  const session = {
    bind: (feeds: Record<string, Tensor>, { into }: { into: Record<string, Tensor> }) => ({
      async run() {
        into.logits!.data.set(Array.from(feeds.input_ids!.data as BigInt64Array, Number) as never)
      },
      dispose() {},
    }),
  } as unknown as Session
  const engine = { device: 'cpu', features: { asyncRun: true, deviceTensors: false } } as unknown as Engine
  const description = {
    config: { heads: 2 ** 20, vocabSize: 1, contextLength: 600 },
    blocks: [],
    sequence: { attentions: [], ropes: [], masks: [], learned: false },
  } as unknown as ModelDescription
  const rope = () => ({})
  const conversation = createConversation(session, description, { engine, attention: 'fused', rope })
  const logits = await conversation.extend(ids.slice(0, 100), { logits: 'all' })
  expect([...logits]).toEqual(ids.slice(0, 100))
})
