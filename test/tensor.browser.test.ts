import {
  blobSource,
  dequantize,
  memoryFolder,
  memorySink,
  openCheckpoint,
  openSafetensors,
  readFloat32,
  writeSafetensors,
} from '@awq/tensor'
import { expect, test } from 'vitest'

async function checkpointBytes(): Promise<Uint8Array<ArrayBuffer>> {
  const sink = memorySink()
  const data = new Uint8Array(Float32Array.from({ length: 12 }, (_, index) => index / 4).buffer)
  await writeSafetensors([{ name: 'weight', dtype: 'F32', shape: [4, 3], data }], sink)
  return new Uint8Array(sink.bytes())
}

test('a safetensors file is read from a Blob, by rows', async () => {
  const bytes = await checkpointBytes()
  await using checkpoint = await openSafetensors(blobSource(new Blob([bytes]), 'model.safetensors'))
  const entry = checkpoint.tensors.get('weight')!
  expect(entry.shape).toEqual([4, 3])
  expect([...(await readFloat32(entry, { rows: [1, 3] }))]).toEqual([0.75, 1, 1.25, 1.5, 1.75, 2])
})

test('a checkpoint opens from a folder in memory', async () => {
  await using checkpoint = await openCheckpoint(memoryFolder({ 'model.safetensors': await checkpointBytes() }))
  expect([...checkpoint.tensors.keys()]).toEqual(['weight'])
})

test('a truncated Blob is refused', async () => {
  const bytes = await checkpointBytes()
  const source = blobSource(new Blob([bytes.subarray(0, bytes.length - 1)]), 'short.safetensors')
  await expect(openSafetensors(source)).rejects.toMatchObject({ code: 'INVALID_FILE' })
})

test('a quantized matrix is dequantized', () => {
  const matrix = {
    bits: 4,
    groupSize: 2,
    shape: [1, 4],
    codes: Uint8Array.of(0, 8, 15, 9),
    scales: Uint16Array.of(0x3c00, 0x3800),
    zeroPoints: null,
  } as const
  expect([...dequantize(matrix)]).toEqual([-8, 0, 3.5, 0.5])
})
