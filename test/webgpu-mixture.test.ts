import { createEngine } from '@awq/ort'
import { describe, test } from 'vitest'
import { useSoftwareGpu, withoutSoftwareGpu } from '../packages/ort/test/software-gpu.ts'
import { mixtureCases, provesMixture } from './webgpu-mixture.ts'

if (withoutSoftwareGpu !== undefined) {
  describe('a mixture of experts on WebGPU', () => {
    test.skip(`skipped: ${withoutSoftwareGpu}`, () => {})
  })
} else {
  describe('a mixture of experts on WebGPU', () => {
    test.each(mixtureCases)(
      '%s',
      async (_, given) => {
        await useSoftwareGpu()
        await provesMixture(() => createEngine({ device: 'webgpu', engine: 'native' }), given)
      },
      120_000,
    )
  })
}
