import { describeModel } from '@awq/models'
import { createEngine } from '@awq/ort'
import { memoryFolder } from '@awq/tensor'
import { afterAll, expect, it } from 'vitest'
import { createConversation } from './conversation.ts'
import { conversationLogits } from './conversation-logits.ts'
import { floatFiles, randomParameters, tinyConfig } from './fixtures/tiny-model.ts'
import { modelLogits } from './model-logits.ts'
import { openModel } from './open-model.ts'
import { regimeOf } from './rope-regime.ts'

const long = Array.from({ length: 8 }, (_, i) => 1.5 + i)
const scalings = {
  longrope: { type: 'longrope', short_factor: new Array<number>(8).fill(1), long_factor: long, factor: 4 },
  dynamic: { type: 'dynamic', factor: 4 },
}
const ids = Array.from({ length: 24 }, (_, i) => (i * 31 + 7) % 97)

const engine = await createEngine({ threads: 1 })
afterAll(() => engine.dispose())

const openTiny = async (type: keyof typeof scalings, limit = 12) => {
  const size = { [type === 'dynamic' ? 'max_position_embeddings' : 'original_max_position_embeddings']: limit }
  const config = tinyConfig({ ...size, rope_scaling: scalings[type] })
  const folder = memoryFolder(await floatFiles(config, randomParameters(describeModel(config))))
  return { folder, model: await openModel(folder, engine) }
}

it.each(['longrope', 'dynamic'] as const)(
  'a cache follows the sequence across the limit and back: %s',
  async (type) => {
    const { folder, model } = await openTiny(type)
    await using opened = model
    const { description } = opened
    expect(new Set([11, 12, 13, 14].map((length) => regimeOf(description, length))).size).toBeGreaterThan(1)
    await using session = await opened.openDecoder({ attention: 'fused' })
    const conversation = createConversation(session, description, { engine, attention: 'fused', chunk: 5 })
    const check = async (part: readonly number[]) => {
      const before = ids.slice(0, conversation.length)
      const last = await conversation.extend(part, {})
      const whole = await modelLogits(folder, [...before, ...part], { engine })
      expect(Math.max(...last.map((value, i) => Math.abs(value - whole[0]![i]!)))).toBeLessThan(1e-3)
    }
    await check(ids.slice(0, 10))
    // Stopped while the cache is made anew: what it is to hold is not forgotten.
    const stopped = AbortSignal.abort(new Error('stopped'))
    await expect(conversation.extend(ids.slice(10, 14), { signal: stopped })).rejects.toThrow('stopped')
    expect(conversation.length).toBe(10)
    await check(ids.slice(10, 14))
    await check(ids.slice(14, 15))
    conversation.truncate(6)
    expect(conversation.length).toBe(6)
    await check(ids.slice(6, 9))
    conversation.dispose()
  },
)

it.each(['longrope', 'dynamic'] as const)('logits after every id are those of the whole sequence: %s', async (type) => {
  const { folder, model } = await openTiny(type, 260)
  await using opened = model
  const { description } = opened
  const prompt = Array.from({ length: 270 }, (_, i) => (i * 31 + 7) % 97)
  await using session = await opened.openDecoder({ attention: 'fused' })
  const open = () => createConversation(session, description, { engine, attention: 'fused' })
  const rows = await conversationLogits(open(), prompt, 97, { all: true })
  const whole = await modelLogits(folder, prompt, { engine, all: true })
  const differences = rows.map((row, i) => Math.max(...row.map((value, j) => Math.abs(value - whole[i]![j]!))))
  expect(differences).toHaveLength(270)
  expect(Math.max(...differences)).toBeLessThan(1e-3)
  const [last] = await conversationLogits(open(), prompt, 97, {})
  expect(Math.max(...last!.map((value, j) => Math.abs(value - whole[269]![j]!)))).toBeLessThan(1e-3)
})
