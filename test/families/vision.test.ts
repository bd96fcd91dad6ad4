/** Features of images, and logits of prompts with them, equal those of transformers for every family that sees. */
import { type AttentionForm, fusedIsPossible } from '@awq/models'
import { createEngine } from '@awq/ort'
import {
  createConversation,
  createImageEncoder,
  createSeenImages,
  type OpenedModel,
  openModel,
  type SeenImage,
} from '@awq/runtime'
import { openFolder } from '@awq/tensor/node'
import { afterAll, describe, expect, test } from 'vitest'
import { distance } from './checkpoints.ts'
import { type GoldenPrompt, rowsOf, seeingCheckpoints, type VisionGolden, visionGolden } from './vision-golden.ts'

const engine = await createEngine({ threads: 1 })
afterAll(() => engine.dispose())

/** As in logits.test.ts. */
const tolerance = 3e-5

/** The images of a golden, encoded, and the prompts with the ids that stand for their rows. */
const encodeAll = async (model: OpenedModel, { images, sequences, imageToken }: VisionGolden) => {
  const { vocabSize, hiddenSize } = model.description.config
  const seen = createSeenImages(vocabSize, hiddenSize)
  const encoder = createImageEncoder(model)
  const encoded: SeenImage[] = []
  for (const [i, { image }] of images.entries()) {
    const { features, grid } = await encoder.encode(image)
    encoded.push(seen.add(`${i}`, features, grid))
  }
  await encoder.dispose()
  const idsOf = ({ ids, images: used }: GoldenPrompt): number[] => {
    const rows = used.flatMap((at) => Array.from({ length: encoded[at]!.rows }, (_, i) => encoded[at]!.firstId + i))
    let row = 0
    return ids.map((id) => (id === imageToken ? rows[row++]! : id))
  }
  return { seen, prompts: sequences.map((prompt) => ({ ...prompt, ids: idsOf(prompt) })) }
}

const forms = ['plain', 'fused'] as const satisfies readonly AttentionForm[]

describe.each(seeingCheckpoints)('$name', (checkpoint) => {
  const golden = visionGolden(checkpoint)

  test('features of images', async () => {
    await using model = await openModel(await openFolder(checkpoint.path), engine)
    const encoder = createImageEncoder(model)
    for (const { image, features } of golden.images) {
      const made = await encoder.encode(image)
      expect(made.features.length / features.shape[1]!).toBe(features.shape[0])
      expect(made.rows).toBe(features.shape[0])
      expect(distance(rowsOf({ shape: features.shape, values: made.features }), rowsOf(features))).toBeLessThan(
        tolerance,
      )
    }
    await encoder.dispose()
  })

  test('features of images whose tiles go through the tower one by one', async () => {
    await using model = await openModel(await openFolder(checkpoint.path), engine)
    const encoder = createImageEncoder(model, { patchesAtOnce: 1 })
    for (const { image, features } of golden.images) {
      const made = await encoder.encode(image)
      const rows = rowsOf({ shape: features.shape, values: made.features })
      expect(distance(rows, rowsOf(features))).toBeLessThan(tolerance)
    }
    await encoder.dispose()
  })

  test.for(forms)('prompts and what follows, attention %s', async (attention, { skip }) => {
    await using model = await openModel(await openFolder(checkpoint.path), engine)
    const { description } = model
    const fused = fusedIsPossible(description) && description.vision!.attention === 'causal'
    skip(attention === 'fused' && !fused, 'the operator cannot say it')
    const { vocabSize } = description.config
    const { seen, prompts } = await encodeAll(model, golden)
    await using session = await model.openDecoder({ attention, images: true })
    for (const { ids, logits, next } of prompts) {
      const options = { engine, attention, images: seen, chunk: 5 }
      const conversation = createConversation(session, description, options)
      const data = (await conversation.extend(ids, { logits: 'all' })).slice()
      const rows = logits.map((_, i) => data.subarray(i * vocabSize, (i + 1) * vocabSize))
      expect(distance(rows, logits)).toBeLessThan(tolerance)
      const best = (row: Float32Array): number => row.indexOf(row.reduce((a, b) => Math.max(a, b)))
      const made = [best(rows.at(-1)!)]
      while (made.length < next.length) made.push(best(await conversation.extend(made.slice(-1), {})))
      expect(made).toEqual(next)
      conversation.dispose()
    }
  })
})
