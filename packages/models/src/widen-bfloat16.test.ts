import { fromFloat32, memoryFolder, memorySink, openCheckpoint, toFloat32, writeSafetensors } from '@awq/tensor'
import { expect, test } from 'vitest'
import { decodedFolder } from './decoded-folder.ts'
import { widenBfloat16 } from './widen-bfloat16.ts'

test('bfloat16 tensors read as the float32 that they stand for, also by bytes of their folder', async () => {
  const values = Float32Array.from({ length: 12 }, (_, i) => i / 8 - 0.5)
  const sink = memorySink()
  const entries = [
    { name: 'matrix', dtype: 'BF16', shape: [4, 3], data: fromFloat32(values, 'BF16') },
    { name: 'vector', dtype: 'BF16', shape: [12], data: fromFloat32(values, 'BF16') },
    { name: 'half', dtype: 'F16', shape: [12], data: fromFloat32(values, 'F16') },
  ] as const
  await writeSafetensors([...entries], sink)
  const folder = memoryFolder({ 'model.safetensors': sink.bytes() })
  await using checkpoint = widenBfloat16(await openCheckpoint(folder))
  expect([...checkpoint.tensors.values()].map(({ dtype, length }) => [dtype, length])).toEqual([
    ['F32', 48],
    ['F32', 48],
    ['F16', 24],
  ])
  for (const name of ['matrix', 'vector']) {
    const { file, read } = checkpoint.tensors.get(name)!
    expect(toFloat32(await read(), 'F32')).toEqual(values)
    const source = await decodedFolder(folder, checkpoint).open(file)
    expect(toFloat32(await source.read(8, 16), 'F32')).toEqual(values.slice(2, 6))
    const blob = await source.blob!(8, 16)
    expect(toFloat32(new Uint8Array(await blob.arrayBuffer()), 'F32')).toEqual(values.slice(2, 6))
  }
})
