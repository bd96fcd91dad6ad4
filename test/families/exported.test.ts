/** The graphs of transformers.js and onnxruntime-genai folders give every family's logits, alone and in batches. */
import { openPortable } from '@awq/formats'
import { type AttentionForm, describeModel, fusedIsPossible } from '@awq/models'
import { createEngine } from '@awq/ort'
import { modelLogits } from '@awq/runtime'
import { openFolder } from '@awq/tensor/node'
import { afterAll, describe, expect, test } from 'vitest'
import { openExported } from '../../packages/formats/src/fixtures/exported.ts'
import { exportedPositions } from '../../packages/formats/src/onnx/exported-port.ts'
import { distance, type FamilyCheckpoint, goldenOf, readyCheckpoints } from './checkpoints.ts'

const engine = await createEngine({ threads: 1 })
afterAll(() => engine.dispose())

/** As in logits.test.ts. */
const tolerance = 3e-5

const ones = (count: number): number[] => new Array<number>(count).fill(1)

/** The longest sequence that a graph takes, and its logits. */
const expectedOf = async (checkpoint: FamilyCheckpoint) => {
  const folder = await openFolder(checkpoint.path)
  const { ids, logits } = goldenOf(checkpoint).at(-1)!
  const positions = exportedPositions(describeModel(checkpoint.config))
  if (ids.length <= positions) return { folder, ids, logits }
  const short = ids.slice(0, positions)
  return { folder, ids: short, logits: await modelLogits(folder, short, { engine, all: true }) }
}

/** Columns of which the first hold nothing, and tokens from a sequence's beginning. */
const leftPadded = (ids: readonly number[], pads: number): { ids: number[]; mask: number[] } => ({
  ids: [...new Array<number>(pads).fill(0), ...ids.slice(0, ids.length - pads)],
  mask: [...new Array<number>(pads).fill(0), ...ones(ids.length - pads)],
})

const forms = ['fused', 'plain'] as const satisfies readonly AttentionForm[]

describe.each(readyCheckpoints)('$name', (checkpoint) => {
  test.for(forms)('in parts, attention %s', async (attention, { skip }) => {
    skip(attention === 'fused' && !fusedIsPossible(describeModel(checkpoint.config)), 'the operator cannot say it')
    const { folder, ids, logits } = await expectedOf(checkpoint)
    await using model = await openPortable(folder)
    for (const keep of [0, 1]) {
      const port = { padding: 'left', logits: 'kept' } as const
      await using decoder = await openExported(engine, model, { port, attention, keep })
      const rows: Float32Array[] = []
      let past = 0
      for (const to of [ids.length - 7, ids.length - 2, ids.length - 1, ids.length]) {
        const [some] = await decoder.run([ids.slice(past, to)], [ones(to)])
        expect(some).toHaveLength(keep === 0 ? to - past : keep)
        rows.push(...some!)
        past = to
      }
      const expected = keep === 0 ? logits : [-8, -3, -2, -1].map((at) => logits.at(at)!)
      expect(distance(rows, expected)).toBeLessThan(tolerance)
    }
  })

  test.for(forms)('sequences padded on the left, attention %s', async (attention, { skip }) => {
    skip(attention === 'fused' && !fusedIsPossible(describeModel(checkpoint.config)), 'the operator cannot say it')
    const { folder, ids, logits } = await expectedOf(checkpoint)
    await using model = await openPortable(folder)
    await using decoder = await openExported(engine, model, { port: { padding: 'left', logits: 'kept' }, attention })
    const pads = Math.floor(ids.length / 3)
    const batch = [leftPadded(ids, 0), leftPadded(ids, pads)]
    const rows: Float32Array[][] = [[], []]
    let past = 0
    for (const to of [ids.length - 2, ids.length - 1, ids.length]) {
      const made = await decoder.run(
        batch.map((one) => one.ids.slice(past, to)),
        batch.map((one) => one.mask.slice(0, to)),
      )
      for (const [i, some] of made.entries()) rows[i]!.push(...some)
      past = to
    }
    expect(distance(rows[0]!, logits)).toBeLessThan(tolerance)
    expect(distance(rows[1]!.slice(pads), logits.slice(0, ids.length - pads))).toBeLessThan(tolerance)
  })

  test.for(forms)('sequences padded on the right, attention %s', async (attention, { skip }) => {
    const description = describeModel(checkpoint.config)
    skip(attention === 'fused' && !fusedIsPossible(description), 'the operator cannot say it')
    const { folder, ids, logits } = await expectedOf(checkpoint)
    await using model = await openPortable(folder)
    await using decoder = await openExported(engine, model, { port: { padding: 'right', logits: 'all' }, attention })
    const lengths = [ids.length - 3, Math.ceil(ids.length / 2)] as const
    const [width] = lengths
    const masks = lengths.map((length) => [...ones(length), ...new Array<number>(width - length).fill(0)])
    const prompt = await decoder.run(
      lengths.map((length) => [...ids.slice(0, length), ...new Array<number>(width - length).fill(0)]),
      masks,
    )
    const rows = prompt.map((some, i) => some.slice(0, lengths[i]))
    for (let step = 0; step < 3; step++) {
      for (const mask of masks) mask.push(1)
      const made = await decoder.run(
        lengths.map((length) => [ids[length + step]!]),
        masks,
      )
      for (const [i, some] of made.entries()) rows[i]!.push(...some)
    }
    for (const some of rows) expect(distance(some, logits.slice(0, some.length))).toBeLessThan(tolerance)
  })
})
