/** Float logits of every family equal those of transformers, in one pass and token by token with a cache. */
import { fusedIsPossible } from '@awq/models'
import { createEngine } from '@awq/ort'
import { createConversation, modelLogits, openModel } from '@awq/runtime'
import { AwqError } from '@awq/tensor'
import { openFolder } from '@awq/tensor/node'
import { afterAll, describe, expect, test } from 'vitest'
import { distance, goldenOf, readyCheckpoints, waitingCheckpoints } from './checkpoints.ts'

const engine = await createEngine({ threads: 1 })
afterAll(() => engine.dispose())

/**
 * Of the largest logit. Float32 pins the references down to 2e-6; the smallest difference between two options of a
 * family (erf and tanh GELU) is 1.2e-4.
 */
const tolerance = 3e-5

describe.each(readyCheckpoints)('$name', (checkpoint) => {
  const sequences = goldenOf(checkpoint).map((sequence) => ({ length: sequence.ids.length, ...sequence }))

  test.each(sequences)('$length tokens in one pass', async ({ ids, logits }) => {
    const folder = await openFolder(checkpoint.path)
    expect(distance(await modelLogits(folder, ids, { engine, all: true }), logits)).toBeLessThan(tolerance)
  })

  test.for(['plain', 'fused'] as const)('in parts with a cache, attention %s', async (attention, { skip }) => {
    const folder = await openFolder(checkpoint.path)
    await using model = await openModel(folder, engine)
    const { config } = model.description
    skip(attention === 'fused' && !fusedIsPossible(model.description), 'the operator cannot say it')
    await using session = await model.openDecoder({ attention })
    const scalings = model.description.sequence.ropes.map(({ rope }) => rope.scaling.type)
    const changing = scalings.some((type) => type === 'dynamic' || type === 'longrope')
    for (const { ids, logits } of goldenOf(checkpoint)) {
      const conversation = createConversation(session, model.description, { engine, attention })
      const parts: number[][] = [ids.slice(0, 7), ids.slice(7, 10), ...ids.slice(10).map((id) => [id])]
      const rows: Float32Array[] = []
      const expected: ArrayLike<number>[] = []
      for (const part of parts) {
        const data = await conversation.extend(part, { logits: 'all' })
        for (let i = 0; i < part.length; i++) rows.push(data.slice(i * config.vocabSize, (i + 1) * config.vocabSize))
        // Where the rotation depends on the sequence's length, a pass over all of it says nothing of its beginning.
        const length = rows.length
        if (changing)
          expected.push(...(await modelLogits(folder, ids.slice(0, length), { engine, all: true })).slice(-part.length))
      }
      conversation.dispose()
      expect(distance(rows, changing ? expected : logits)).toBeLessThan(tolerance)
      expect(distance(rows.slice(-1), logits.slice(-1))).toBeLessThan(tolerance)
    }
  })
})

describe.skipIf(waitingCheckpoints.length === 0)('waits', () => {
  test.each(waitingCheckpoints)('$name, for: $reason', async (checkpoint) => {
    const folder = await openFolder(checkpoint.path)
    const { ids } = goldenOf(checkpoint)[0]!
    const outcome = await modelLogits(folder, ids, { engine, all: true }).catch((error: unknown) => error)
    expect(outcome, 'not refused any more: take it from the list, and see whether it is right').toBeInstanceOf(AwqError)
  })
})
