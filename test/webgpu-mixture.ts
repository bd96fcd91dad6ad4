/**
 * Mixtures of experts on WebGPU against expert by expert on the CPU.
 */
import { createEngine, type Engine } from '@awq/ort'
import type { QuantSpec } from '@awq/quantize'
import { expect } from 'vitest'
import { distance, mixtureLogits, mixtures, openMixture } from '../packages/runtime/src/fixtures/mixtures.ts'

/** A mixture, and whether one operator computes it. */
export interface WebGpuCase {
  readonly changes: Record<string, unknown>
  readonly spec: QuantSpec
  readonly accuracy: 'exact' | 'fast'
  readonly operator: boolean
}

const { Mixtral, 'DeepSeek V3, sigmoid and groups': deepseek, 'gpt-oss, clamped and with biases': gptOss } = mixtures
const spec = (bits: 4 | 8, symmetric: boolean, groupSize = 32): QuantSpec => ({ bits, groupSize, symmetric })

export const mixtureCases: readonly (readonly [string, WebGpuCase])[] = [
  ['4 bits', { changes: Mixtral, spec: spec(4, true), accuracy: 'fast', operator: true }],
  ['exact', { changes: Mixtral, spec: spec(4, true), accuracy: 'exact', operator: false }],
  ['DeepSeek V3, zero points', { changes: deepseek, spec: spec(4, false), accuracy: 'fast', operator: true }],
  ['gpt-oss, 8 bits', { changes: gptOss, spec: spec(8, true, 16), accuracy: 'fast', operator: true }],
]

/** Runs a case; `open` makes the engine on WebGPU. */
export const provesMixture = async (
  open: () => Promise<Engine>,
  { changes, spec, accuracy, operator }: WebGpuCase,
): Promise<void> => {
  const [cpu, gpu] = [await createEngine({ threads: 1 }), await open()]
  try {
    const expected = await openMixture({ engine: cpu, changes, spec })
    const { model } = await openMixture({ engine: gpu, changes, spec, accuracy })
    expect(model.tokensAtOnce()).toBe(operator ? 1 : Number.POSITIVE_INFINITY)
    const off = distance(await mixtureLogits(model, 3), await mixtureLogits(expected.model, 3))
    expect(off).toBeLessThan(accuracy === 'fast' ? 5e-2 : 1e-4)
  } finally {
    await cpu.dispose()
    await gpu.dispose()
  }
}
