import { createEngine } from '@awq/ort'
import { expect, test } from 'vitest'
import { mixtureCases, provesMixture } from './webgpu-mixture.ts'

// One is enough here: the kernels are those of the native engine, which runs all cases.
test('a mixture of experts on WebGPU', async () => {
  const [, given] = mixtureCases[0]!
  expect(given.operator).toBe(true)
  const changes = { ...given.changes, num_hidden_layers: 1 }
  await provesMixture(() => createEngine({ device: 'webgpu' }), { ...given, changes })
}, 300_000)
