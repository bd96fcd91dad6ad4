import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { ggufType, ggufTypeById, ggufTypes } from './types.ts'

const path = fileURLToPath(new URL('../fixtures/gguf-blocks.json', import.meta.url))
const { cases } = JSON.parse(readFileSync(path, 'utf8')) as {
  cases: Record<string, { bytes: string; values: string }>
}
const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))

test.each(Object.keys(cases))('%s is what the gguf package reads', (name) => {
  const { block, bytes: size, decode } = ggufType(name)
  const given = cases[name] as { bytes: string; values: string }
  const bytes = bytesOf(given.bytes)
  const count = bytes.length / size
  const values = new Float32Array(count * block)
  for (let i = 0; i < count; i++) decode?.(bytes, i * size, values, i * block)
  expect(values).toEqual(new Float32Array(bytesOf(given.values).buffer))
})

test('Q8_K, which the package does not read: int8 codes times a float32', () => {
  const bytes = new Uint8Array(292)
  new DataView(bytes.buffer).setFloat32(0, 0.37, true)
  bytes.set([1, 255, 128], 4)
  const values = new Float32Array(256)
  ggufType('Q8_K').decode?.(bytes, 0, values, 0)
  expect(Array.from(values.subarray(0, 4))).toEqual(
    [1, -1, -128, 0].map((code) => Math.fround(Math.fround(0.37) * code)),
  )
})

test('types have numbers of their own', () => {
  expect(ggufTypeById.size).toBe(ggufTypes.length)
})
