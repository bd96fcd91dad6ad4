/** Graphs for transformers.js on WebGPU, where kernels take no empty values: mixtures with a spare row for each expert. */
import { createEngine } from '@awq/ort'
import { expect, test } from 'vitest'
import { openExported } from '../packages/formats/src/fixtures/exported.ts'
import { floatModel, roundedModel } from '../packages/formats/src/fixtures/models.ts'
import { useSoftwareGpu, withoutSoftwareGpu } from '../packages/ort/test/software-gpu.ts'

const port = { padding: 'left', logits: 'kept' } as const

test.skipIf(withoutSoftwareGpu !== undefined)(
  'a mixture computes on WebGPU what every expert over every token computes on the CPU',
  async () => {
    await useSoftwareGpu()
    await using model = roundedModel(await floatModel('mixtral'), (name) =>
      /embed|lm_head|gate\.weight/.test(name) ? null : { bits: 4, groupSize: 16, symmetric: true },
    )
    const [cpu, gpu] = [await createEngine({ threads: 1 }), await createEngine({ device: 'webgpu', engine: 'native' })]
    try {
      await using masked = await openExported(cpu, model, { port, experts: 'masked' })
      await using spare = await openExported(gpu, model, { port, experts: 'spare' })
      const ids = [5, 9, 17, 3, 22]
      for (const [from, to] of [
        [0, 4],
        [4, 5],
      ] as const) {
        const asked = [[ids.slice(from, to)], [ids.slice(0, to).map(() => 1)]] as const
        const [expected, found] = [await masked.run(...asked), await spare.run(...asked)]
        for (const [row, logits] of expected[0]!.entries())
          for (const [j, value] of logits.entries()) expect(found[0]![row]![j]).toBeCloseTo(value, 3)
      }
    } finally {
      await cpu.dispose()
      await gpu.dispose()
    }
  },
  300_000,
)
