import {
  type Checkpoint,
  type DType,
  fromFloat32,
  memorySource,
  openSafetensors,
  readFloat32,
  safetensorsHeader,
} from '@awq/tensor'
import { expect, test } from 'vitest'
import { readConfig } from './config-reader.ts'
import { decodeFloat8 } from './float8-checkpoint.ts'
import { readStoredFormat } from './stored-format.ts'

interface Stored {
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly values: readonly number[]
}

const checkpointOf = async (tensors: Readonly<Record<string, Stored>>): Promise<Checkpoint> => {
  const entries = Object.entries(tensors).map(([name, tensor]) => ({ name, ...tensor }))
  const { header, offsets, size } = safetensorsHeader(entries)
  const bytes = new Uint8Array(size)
  bytes.set(header)
  for (const { name, dtype, values } of entries)
    bytes.set(fromFloat32(Float32Array.from(values), dtype), offsets.get(name)!.offset)
  return openSafetensors(memorySource(bytes, 'model.safetensors'))
}

const codes = (rows: number, columns: number): Stored => ({
  dtype: 'F8_E4M3',
  shape: [rows, columns],
  values: Array.from({ length: rows * columns }, (_, i) => (i % 7) - 3),
})

const scale = (shape: readonly number[]): Stored => {
  const count = shape.reduce((product, dim) => product * dim, 1)
  return { dtype: 'F32', shape, values: Array.from({ length: count }, (_, i) => i + 1) }
}

test.each([
  ['a scalar', 'w_scale', [], null, () => 1],
  ['one of shape [1]', 'w_scale', [1], null, () => 1],
  ['one for each row', 'w_scale', [5, 1], null, (row: number) => row + 1],
  [
    'blocks, the last ones cut off',
    'w_scale_inv',
    [3, 2],
    [2, 4] as const,
    (row: number, column: number) => Math.floor(row / 2) * 2 + Math.floor(column / 4) + 1,
  ],
])('scales: %s', async (_, name, shape, block, factor) => {
  const source = await checkpointOf({ w: codes(5, 6), [name]: scale(shape), 'w.input_scale': scale([]) })
  const { tensors } = decodeFloat8(source, { kind: 'float8', block })
  expect([...tensors.keys()]).toEqual(['w'])
  const expected = codes(5, 6).values.map((value, i) => value * factor(Math.floor(i / 6), i % 6))
  expect([...(await readFloat32(tensors.get('w')!))]).toEqual(expected)
  expect([...(await readFloat32(tensors.get('w')!, { rows: [3, 5] }))]).toEqual(expected.slice(18))
})

test('codes without a scale, and scales that fit in no way, are refused', async () => {
  const format = { kind: 'float8', block: [2, 4] } as const
  const alone = await checkpointOf({ w: codes(5, 6) })
  expect(() => decodeFloat8(alone, format)).toThrow(/w is F8_E4M3 of shape \[5, 6\].*w_scale_inv/)
  const wrong = await checkpointOf({ w: codes(5, 6), w_scale_inv: scale([2, 2]) })
  expect(() => decodeFloat8(wrong, format)).toThrow(/w_scale_inv has shape \[2, 2\].*no scale of w/)
})

test.each([
  [{ quant_method: 'gptq', bits: 4 }, /quantized already.*gptq/],
  [{ quant_method: 'compressed-tensors', format: 'pack-quantized' }, /quantized already.*pack-quantized/],
  [{ quant_method: 'fp8', fmt: 'e5m2' }, /quantization_config.fmt "e5m2" is not implemented/],
  [{ quant_method: 'fp8', weight_block_size: [128] }, /weight_block_size must be two whole numbers/],
])('%j is refused', (config, message) => {
  expect(() => readStoredFormat(readConfig({ quantization_config: config }))).toThrow(message)
})
