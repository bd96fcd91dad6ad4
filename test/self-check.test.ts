/** The self-check agrees with ONNX Runtime on the CPU about the attention of every family. */

import { fileURLToPath } from 'node:url'
import { describeModel, fusedIsPossible } from '@awq/models'
import { createEngine } from '@awq/ort'
import { loadModel } from '@awq/runtime/node'
import { afterAll, describe, expect, test } from 'vitest'
import { brokenEngine } from '../packages/runtime/src/fixtures/broken-engine.ts'
import { checkAttention } from '../packages/runtime/src/self-check/attention-check.ts'
import { readyCheckpoints } from './families/checkpoints.ts'

const engine = await createEngine({ threads: 1 })
afterAll(() => engine.dispose())

describe.each(readyCheckpoints)('$name', ({ config }) => {
  const description = describeModel(config)
  test.for(['plain', 'fused'] as const)('%s', async (form, { skip }) => {
    skip(form === 'fused' && !fusedIsPossible(description), 'the operator cannot say it')
    expect(await checkAttention(engine, description, form, 'float32', undefined)).toBeUndefined()
    expect(await checkAttention(engine, description, form, 'float16', undefined)).toBeUndefined()
  })
})

describe('a model for a device that computes wrong', () => {
  const folder = fileURLToPath(new URL('../examples/models/stories260k', import.meta.url))
  const broken = brokenEngine(engine, {
    spoil: ({ output }) => {
      if (output) output.data[0] = 7
    },
  })

  test('is loaded on the CPU, with a warning', async () => {
    const warnings: string[] = []
    await using model = await loadModel(folder, { engine: broken, onWarning: (message) => warnings.push(message) })
    expect(model.opened.engine.device).toBe('cpu')
    expect(warnings).toEqual([
      expect.stringMatching(/^device 'webgpu' computes wrong: .*The model is loaded on the CPU/),
    ])
    expect((await model.generate({ prompt: 'Once upon a time' }, { maxNewTokens: 4 }).result).text).not.toBe('')
  })

  test('is an error for who asks for one, and loaded for who does not look', async () => {
    await expect(loadModel(folder, { engine: broken, selfCheck: 'error' })).rejects.toMatchObject({ code: 'NUMERIC' })
    await using model = await loadModel(folder, { engine: broken, selfCheck: 'off' })
    expect(model.opened.engine.device).toBe('webgpu')
  })
})
