import { expect, test } from 'vitest'
import { alikeName, expertLabel, joinNames } from './summary.ts'

test('experts are one name', () => {
  const readers = [
    'mlp.experts.0.gate_proj',
    'mlp.experts.0.up_proj',
    'mlp.experts.11.gate_proj',
    'mlp.experts.11.up_proj',
  ]
  expect(joinNames(readers)).toBe('gate_proj, up_proj of experts')
  expect([...new Set(readers.map(alikeName))]).toEqual(['mlp.experts.*.gate_proj', 'mlp.experts.*.up_proj'])
  expect(expertLabel(readers[2]!)).toBe('expert 11: ')
})

test('other names stay', () => {
  expect(joinNames(['self_attn.q_proj', 'self_attn.k_proj'])).toBe('q_proj, k_proj')
  expect(alikeName('self_attn.o_proj')).toBe('self_attn.o_proj')
  expect(expertLabel('self_attn.o_proj')).toBe('')
})
