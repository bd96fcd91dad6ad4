import { describe, expect, it } from 'vitest'
import { chooseAttention, resolveAttention } from './attention.ts'

describe('chooseAttention', () => {
  it.each([
    [true, 'cpu', true, 'fused'],
    [false, 'cpu', true, 'plain'],
    [true, 'cpu', false, 'plain'],
  ] as const)(
    'attention that the operator can say %s, on %s, in place %s: %s',
    (fusable, device, inPlaceOutputs, form) => {
      expect(chooseAttention({ fusable, device, inPlaceOutputs })).toBe(form)
    },
  )

  it.each([
    ['cuda', true, 'float16', 'fused'],
    ['cuda', true, 'float32', 'plain'],
    ['cuda', false, 'float16', 'plain'],
    ['webgpu', true, 'float32', 'fused'],
    ['webgpu', false, 'float32', 'plain'],
    ['directml', true, 'float16', 'plain'],
  ] as const)('on %s, tensors on the device %s, %s: %s', (device, deviceTensors, dtype, form) => {
    expect(chooseAttention({ fusable: true, device, inPlaceOutputs: true, deviceTensors, dtype })).toBe(form)
  })
})

describe('resolveAttention', () => {
  const facts = { fusable: true, device: 'cpu', inPlaceOutputs: false } as const

  it('follows the wish where it can and chooses without one', () => {
    expect(resolveAttention('fused', facts)).toBe('fused')
    expect(resolveAttention(undefined, facts)).toBe('plain')
  })

  it('says why it can not', () => {
    expect(() => resolveAttention('fused', { ...facts, fusable: false })).toThrow(/multiples of 8/)
  })
})
