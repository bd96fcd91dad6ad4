import { describe, expect, it } from 'vitest'
import { chooseAttention, resolveAttention } from './attention.ts'

describe('chooseAttention', () => {
  it.each([
    [64, 'cpu', true, 'fused'],
    [8, 'cpu', true, 'fused'],
    [24, 'cpu', true, 'fused'],
    [12, 'cpu', true, 'plain'],
    [20, 'cpu', true, 'plain'],
    [64, 'cpu', false, 'plain'],
  ] as const)('head width %i on %s, in place %s: %s', (headDim, device, inPlaceOutputs, form) => {
    expect(chooseAttention({ headDim, device, inPlaceOutputs })).toBe(form)
  })

  it.each([
    ['cuda', true, 'float16', 'fused'],
    ['cuda', true, 'float32', 'plain'],
    ['cuda', false, 'float16', 'plain'],
    ['webgpu', true, 'float32', 'fused'],
    ['webgpu', false, 'float32', 'plain'],
    ['directml', true, 'float16', 'plain'],
  ] as const)('on %s, tensors on the device %s, %s: %s', (device, deviceTensors, dtype, form) => {
    expect(chooseAttention({ headDim: 64, device, inPlaceOutputs: true, deviceTensors, dtype })).toBe(form)
  })
})

describe('resolveAttention', () => {
  const facts = { headDim: 64, device: 'cpu', inPlaceOutputs: false } as const

  it('follows the wish where it can and chooses without one', () => {
    expect(resolveAttention('fused', facts)).toBe('fused')
    expect(resolveAttention(undefined, facts)).toBe('plain')
  })

  it('says why it can not', () => {
    expect(() => resolveAttention('fused', { ...facts, headDim: 12 })).toThrow(/multiple of 8; this model's is 12/)
  })
})
