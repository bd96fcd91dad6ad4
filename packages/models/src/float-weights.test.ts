import type { Checkpoint, DType, TensorEntry } from '@awq/tensor'
import { expect, test } from 'vitest'
import { findParameter } from './float-weights.ts'

const checkpointOf = (dtypes: Record<string, DType>): Checkpoint => {
  const entries = Object.entries(dtypes).map(([name, dtype]): [string, TensorEntry] => [
    name,
    { name, dtype, shape: [2, 3], file: 'model.safetensors', offset: 0, length: 0, read: async () => new Uint8Array() },
  ])
  const close = async () => {}
  return { tensors: new Map(entries), metadata: {}, close, [Symbol.asyncDispose]: close }
}
const spec = { name: 'a.weight', shape: [2, 3] }

test.each<[string, Record<string, DType>, RegExp]>([
  ['a missing tensor', { 'b.weight': 'F32' }, /has no tensor a.weight/],
  ['codes', { 'a.weight': 'I8' }, /a.weight is quantized \(I8\)/],
  ['floats with a scale', { 'a.weight': 'F8_E4M3', 'a.weight_scale': 'F32' }, /F8_E4M3 with a.weight_scale\)/],
  ['floats with an inverse scale', { 'a.weight': 'F8_E4M3', 'a.weight_scale_inv': 'F32' }, /with a.weight_scale_inv/],
])('%s is refused', (_, dtypes, message) => {
  expect(() => findParameter(checkpointOf(dtypes), spec)).toThrow(message)
})

test('floats of every width are taken, other shapes not', () => {
  for (const dtype of ['F64', 'F32', 'F16', 'BF16', 'F8_E4M3', 'F8_E5M2'] as const)
    expect(findParameter(checkpointOf({ 'a.weight': dtype }), spec).dtype).toBe(dtype)
  expect(() => findParameter(checkpointOf({ 'a.weight': 'F32' }), { ...spec, shape: [3, 2] })).toThrow(/asks for/)
})
