import { createEngine } from '@awq/ort'
import { describe, test } from 'vitest'
import { mixtureCases, provesMixture } from './webgpu-mixture.ts'

describe('a mixture of experts on WebGPU', () => {
  test.each(mixtureCases)('%s', (_, given) => provesMixture(() => createEngine({ device: 'webgpu' }), given), 120_000)
})
