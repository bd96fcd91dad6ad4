import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { SafeTensor } from 'safetensors'
import { expect, test } from 'vitest'
import { fromFloat32 } from './convert.ts'
import { byteWidth, type DType } from './dtype.ts'
import { fileSource } from './node/file-source.ts'
import { openSafetensors } from './safetensors.ts'
import { memorySink, writeSafetensors } from './safetensors-write.ts'

// npm's `safetensors` fetches and keeps files in IndexedDB; its SafeTensor is the parser, which needs no browser.

test('npm’s safetensors reads what we write', async () => {
  const values = Float32Array.of(0, 1, 2, 3, 4, 5)
  const entries = (Object.keys(byteWidth) as DType[]).map((dtype) => ({
    name: `tensor.${dtype}`,
    dtype,
    shape: [2, 3],
    data: fromFloat32(values, dtype),
  }))
  const sink = memorySink()
  await writeSafetensors(entries, sink)
  const theirs = new SafeTensor(sink.bytes())
  expect([...theirs.metadata.keys()]).toEqual(entries.map(({ name }) => name))
  for (const { name, dtype, shape, data } of entries) {
    expect(theirs.metadata.get(name)).toMatchObject({ dtype, shape })
    expect(theirs.getTensor(name)).toEqual(data)
  }
})

test('both readers find the same bytes in a file made by Python', async () => {
  // It cannot read a file with __metadata__, so one without is taken.
  const path = fileURLToPath(new URL('./fixtures/float8.safetensors', import.meta.url))
  const theirs = new SafeTensor(new Uint8Array(await readFile(path)))
  const ours = await openSafetensors(await fileSource(path))
  expect([...theirs.metadata.keys()].sort()).toEqual([...ours.tensors.keys()].sort())
  for (const [name, entry] of ours.tensors) expect(await entry.read()).toEqual(theirs.getTensor(name).slice())
  await ours.close()
})
