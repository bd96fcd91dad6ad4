import { join } from 'node:path'
import type { AttentionForm } from '@awq/models'
import type { EngineName } from '@awq/ort'
import type { LanguageModel } from '@awq/runtime'
import { loadModel } from '@awq/runtime/node'
import { describe, expect, test } from 'vitest'
import { useSoftwareGpu, withoutSoftwareGpu } from '../packages/ort/test/software-gpu.ts'

const folder = join(import.meta.dirname, '../examples/models/stories260k')

const textOf = async (model: LanguageModel): Promise<string> => {
  let text = ''
  for await (const event of model.generate({ prompt: 'Once upon a time' }, { maxNewTokens: 8 })) text += event.text
  expect(text).not.toBe('')
  return text
}

if (withoutSoftwareGpu !== undefined) {
  describe('a model on WebGPU', () => {
    test.skip(`skipped: ${withoutSoftwareGpu}`, () => {})
  })
} else {
  describe.each([
    ['native', 'fused'],
    ['native', 'plain'],
    ['onnxruntime-node', 'plain'],
  ] as [EngineName, AttentionForm][])('a model on WebGPU by %s, attention %s', (engine, attention) => {
    test('writes and scores as on the CPU, longer prompts too', async () => {
      await useSoftwareGpu()
      await using cpu = await loadModel(folder, { accuracy: 'exact' })
      await using gpu = await loadModel(folder, { accuracy: 'exact', device: 'webgpu', engine, attention })
      const ids = Array.from({ length: 40 }, (_, index) => (index * 37 + 11) % cpu.description.config.vocabSize)
      const expected = await cpu.logits(ids, { all: true })
      for (const [at, row] of (await gpu.logits(ids, { all: true })).entries()) {
        const worst = row.reduce((most, value, index) => Math.max(most, Math.abs(value - expected[at]![index]!)), 0)
        expect(worst).toBeLessThan(1e-3)
      }
      expect(await textOf(gpu)).toBe(await textOf(cpu))
    }, 120_000)
  })
}
