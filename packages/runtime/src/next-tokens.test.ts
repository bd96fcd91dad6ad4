import { expect, test } from 'vitest'
import { fakeModel, hashedLogits } from './fixtures/fake-model.ts'
import { nextTokens } from './next-tokens.ts'
import { createRandom } from './random.ts'
import { createSampler } from './sampler.ts'
import { samplingSettings } from './sampling-options.ts'

const regime = (length: number) => (length > 12 ? 'long' : 'short')

test.each([
  ['a draft within one range of rotary tables is run', 9, regime, 3],
  ['a draft across the limit is not', 10, regime, 0],
  ['a draft behind the limit is run', 13, regime, 3],
  ['a draft where every length has tables of its own is not', 9, String, 0],
  ['a draft of a model whose tables are always the same is run', 10, undefined, 3],
] as const)('%s', async (_, length, regime, drafted) => {
  const { model } = fakeModel(hashedLogits(1, 128, 2))
  const context = Array.from({ length }, (_, i) => i + 1)
  const conversation = model.open(context)
  await conversation.extend(context.slice(0, -1), {})
  const drafter = { draft: () => [5, 6, 7], judge: () => {} }
  const sampler = createSampler(samplingSettings(), createRandom(1))
  const options = { conversation, sampler, drafter, ends: () => false, signal: undefined }
  const next = await nextTokens(context, 10, { model: { ...model, regime }, ...options })
  expect(next.drafted).toBe(drafted)
})
