import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { openCheckpoint } from './checkpoint.ts'
import { fromFloat32 } from './convert.ts'
import { byteWidth } from './dtype.ts'
import { fileSource } from './node/file-source.ts'
import { openFolder } from './node/open-folder.ts'
import { openSafetensors, readFloat32 } from './safetensors.ts'
import { safetensorsHeader } from './safetensors-header.ts'

/** Files made by Python's safetensors and torch: tools/fixtures/safetensors/make.py. */
const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url))

test('every dtype that Python writes is read, as torch converts it', async () => {
  const checkpoint = await openSafetensors(await fileSource(fixture('dtypes.safetensors')))
  expect(checkpoint.metadata).toEqual({ made: 'by tools/fixtures', naïve: 'β ✓' })
  for (const dtype of Object.keys(byteWidth)) {
    const entry = checkpoint.tensors.get(dtype)!
    expect(entry.dtype).toBe(dtype)
    expect(await readFloat32(entry), dtype).toEqual(await readFloat32(checkpoint.tensors.get(`${dtype}.float32`)!))
  }
  expect(checkpoint.tensors.get('scalar')!.shape).toEqual([])
  expect([...(await readFloat32(checkpoint.tensors.get('scalar')!))]).toEqual([2.5])
  expect(checkpoint.tensors.get('empty')!.shape).toEqual([0, 3])
  expect(await readFloat32(checkpoint.tensors.get('empty')!)).toEqual(new Float32Array(0))
  await checkpoint.close()
})

test('all 256 codes of both 8-bit floats have torch’s values', async () => {
  const { tensors, close } = await openSafetensors(await fileSource(fixture('float8.safetensors')))
  for (const dtype of ['F8_E4M3', 'F8_E5M2']) {
    expect(await readFloat32(tensors.get(dtype)!)).toEqual(await readFloat32(tensors.get(`${dtype}.float32`)!))
  }
  await close()
})

test.each(['F16', 'BF16', 'F8_E4M3', 'F8_E5M2'] as const)('%s is rounded as torch rounds it', async (dtype) => {
  const { tensors, close } = await openSafetensors(await fileSource(fixture('rounding.safetensors')))
  const values = await readFloat32(tensors.get(`${dtype}.values`)!)
  expect(values.length).toBeGreaterThan(900)
  expect(fromFloat32(values, dtype)).toEqual(await tensors.get(dtype)!.read())
  await close()
})

test('a sharded checkpoint is read through its index', async () => {
  const checkpoint = await openCheckpoint(await openFolder(fixture('sharded')))
  const read = async (name: string) => [...(await readFloat32(checkpoint.tensors.get(name)!))]
  expect([...checkpoint.tensors.keys()].sort()).toEqual(['a.weight', 'b.weight', 'c.bias'])
  expect(await read('a.weight')).toEqual([0, 1, 2, 3, 4, 5])
  expect(await read('b.weight')).toEqual([0, 1, 2, 3])
  expect(await read('c.bias')).toEqual([7])
  expect(checkpoint.tensors.get('b.weight')!.file).toBe('model-00002-of-00002.safetensors')
  expect([...(await readFloat32(checkpoint.tensors.get('a.weight')!, { rows: [1, 2] }))]).toEqual([3, 4, 5])
  await checkpoint.close()
})

test('offset and length of an entry point at its bytes in the file', async () => {
  const path = fixture('float8.safetensors')
  const bytes = new Uint8Array(await readFile(path))
  const { tensors, close } = await openSafetensors(await fileSource(path))
  for (const { offset, length, read } of tensors.values()) {
    expect(await read()).toEqual(bytes.slice(offset, offset + length))
  }
  await close()
})

test('a header of ours says the same as Python’s for the same tensors', async () => {
  const { tensors, metadata, close } = await openSafetensors(await fileSource(fixture('dtypes.safetensors')))
  const entries = [...tensors.values()].sort((a, b) => a.offset - b.offset)
  const { header, offsets } = safetensorsHeader(entries, metadata)
  const bytes = new Uint8Array(await readFile(fixture('dtypes.safetensors')))
  const json = (file: Uint8Array) => {
    const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true))
    return JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)))
  }
  expect(json(header)).toEqual(json(bytes))
  expect(header.length % 64).toBe(0)
  expect(offsets.size).toBe(tensors.size)
  await close()
})
