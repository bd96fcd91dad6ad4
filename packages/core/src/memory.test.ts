import { describeModel } from '@awq/models'
import { expect, test } from 'vitest'
import { memoryBound } from './memory.ts'

const MIB = 2 ** 20

test('SmolLM2-135M with 128 blocks of 512 tokens: the parts by hand', () => {
  const description = describeModel({
    model_type: 'llama',
    hidden_size: 576,
    intermediate_size: 1536,
    num_hidden_layers: 30,
    num_attention_heads: 9,
    num_key_value_heads: 3,
    vocab_size: 49152,
  })
  const bound = memoryBound(description, { count: 128 * 512 })
  expect(bound).toEqual({
    boundBytes: bound.baseBytes + bound.blockBytes + bound.stackedBytes + bound.gramBytes + bound.activationBytes,
    baseBytes: 250 * MIB,
    // q and o [576, 576], k and v [192, 576], gate, up and down of 1536, two norms.
    blockBytes: 4 * (2 * 576 * 576 + 2 * 192 * 576 + 3 * 576 * 1536 + 2 * 576),
    // gate and up.
    stackedBytes: 6 * 4 * 2 * 1536 * 576,
    gramBytes: 4 * (3 * 576 ** 2 + 1536 ** 2),
    activationBytes: 2 * 128 * 512 * 576 * 4,
    driftBytes: 0,
    visionBytes: 0,
    planBytes: 0,
  })
  expect(Math.round(bound.boundBytes / MIB)).toBe(605)
  const compensated = memoryBound(description, { count: 128 * 512 }, { inputTokens: 16384, quantizedInputs: true })
  expect(compensated.boundBytes - bound.boundBytes).toBe(4 * 16384 * (4 * 576 + 1536))
  // Streams of a plan that take more than those of the blocks after it.
  const [few, many] = [100 * MIB, 400 * MIB].map((bytes) =>
    memoryBound(description, { count: 128 * 512 }, undefined, bytes),
  )
  expect(few!.boundBytes).toBe(bound.boundBytes)
  expect(many!.boundBytes - bound.boundBytes).toBe(400 * MIB - bound.activationBytes)
  expect(memoryBound(description, null)).toMatchObject({ gramBytes: 0, activationBytes: 0 })
})
