import {
  AwqError,
  dequantize,
  float32ToFloat16Bits,
  memoryFolder,
  type QuantizedMatrix,
  takeDenseColumns,
  withDenseColumns,
} from '@awq/tensor'
import { describe, expect, test } from 'vitest'
import { gaussians, randomMatrix } from '../fixtures/reference.ts'
import { roundRtn } from '../rtn.ts'
import type { QuantSpec } from '../spec.ts'
import { matrixEntries } from './entries.ts'
import { MANIFEST_FILE } from './manifest.ts'
import { adjoiningRange, openStore, readMatrix } from './open.ts'
import { planStore } from './plan.ts'
import { memoryStoreSink } from './sink.ts'
import { writeStore } from './writer.ts'

const spec: QuantSpec = { bits: 3, groupSize: 32, symmetric: false }
const random = gaussians(5)
const indices = Int32Array.of(0, 17, 69)
const matrixOf = (rows: number): QuantizedMatrix => {
  const weight = randomMatrix(random, rows, 70, 0.1)
  return withDenseColumns(roundRtn(weight, [rows, 70], spec), takeDenseColumns(weight, [rows, 70], indices))
}
const matrices = new Map([
  ['q', matrixOf(6)],
  ['k', matrixOf(4)],
])

const planOf = () =>
  planStore([...matrices].flatMap(([name, { shape }]) => matrixEntries(name, shape, spec, 'input', indices.length)))

const piece = (matrix: QuantizedMatrix, from: number, to: number): QuantizedMatrix => {
  const [out, width] = matrix.shape
  const part = <T extends Uint8Array | Uint16Array>(values: T): T =>
    values.slice((values.length / out) * from, (values.length / out) * to) as T
  return {
    ...matrix,
    shape: [to - from, width],
    codes: part(matrix.codes),
    scales: part(matrix.scales),
    zeroPoints: part(matrix.zeroPoints as Uint8Array),
    denseColumns: { indices, values: part(matrix.denseColumns?.values as Uint16Array) },
  }
}

interface Change {
  readonly manifest?: Record<string, unknown>
  /** Bytes to put at the beginning of a tensor. */
  readonly tensor?: readonly [name: string, values: ArrayBufferView]
}

async function stored({ manifest, tensor }: Change = {}) {
  const plan = planOf()
  const sink = memoryStoreSink(plan.files)
  const writer = await writeStore(plan, sink)
  for (const [name, matrix] of matrices) {
    await writer.writeMatrix(name, piece(matrix, 0, 3))
    await writer.writeMatrix(name, piece(matrix, 3, matrix.shape[0]), 3)
  }
  await writer.finish()
  if (tensor !== undefined) {
    const { file, offset } = plan.tensors.get(tensor[0]) as { file: string; offset: number }
    const { buffer, byteOffset, byteLength } = tensor[1]
    sink.files[file]?.set(new Uint8Array(buffer, byteOffset, byteLength), offset)
  }
  const described = [...matrices].map(([name, { shape }]) => [name, { ...spec, shape, denseColumns: 3, ...manifest }])
  const head = { format: 'awq', version: 1, method: 'rtn', ...spec, source: { name: 'random' } }
  return memoryFolder({
    ...sink.files,
    [MANIFEST_FILE]: JSON.stringify({ ...head, matrices: Object.fromEntries(described) }),
  })
}

describe('a store with columns that stay float', () => {
  test('gives them back, those of siblings side by side', async () => {
    await using store = await openStore(await stored())
    expect([...store.dense.keys()]).toEqual([])
    for (const [name, matrix] of matrices) {
      const read = await readMatrix(store, name)
      expect(read).toEqual(matrix)
      expect(dequantize(read)).toEqual(dequantize(matrix))
    }
    const values = [...store.matrices.values()].map(({ denseColumns }) => denseColumns?.values)
    expect(adjoiningRange(values.filter((entry) => entry !== undefined))?.length).toBe(2 * 10 * 3)
  })

  const bad: [what: string, change: Change, message: RegExp][] = [
    [
      'an index beyond the width',
      { tensor: ['k.denseIndices', Int32Array.of(0, 17, 70)] },
      /"k".*column 70 is outside/,
    ],
    ['a negative index', { tensor: ['q.denseIndices', Int32Array.of(-1)] }, /"q".*denseIndices: dense column -1/],
    ['an index twice', { tensor: ['q.denseIndices', Int32Array.of(0, 0, 69)] }, /column 0 follows 0/],
    ['indices that fall', { tensor: ['q.denseIndices', Int32Array.of(20, 17)] }, /column 17 follows 20/],
    ['another count', { manifest: { denseColumns: 4 } }, /q\.denseIndices should be I32 \[4\], but is I32 \[3\]/],
    ['more columns than there are', { manifest: { denseColumns: 71 } }, /cannot have 71 dense columns/],
    ['no columns', { manifest: { denseColumns: 0 } }, /matrices\.q\.denseColumns/],
    ['half a column', { manifest: { denseColumns: 0.5 } }, /matrices\.q\.denseColumns/],
    ['columns it does not mention', { manifest: { denseColumns: undefined } }, /"q".*does not mention/],
  ]
  test.each(bad)('is refused with %s', async (_, change, message) => {
    const opening = openStore(await stored(change))
    await expect(opening).rejects.toThrow(message)
    await expect(opening).rejects.toSatisfy(AwqError.is)
  })

  test('is refused when a matrix is read that has codes in them, or values that are not finite', async () => {
    await using coded = await openStore(await stored({ tensor: ['q.codes', Uint8Array.of(0x77)] }))
    await expect(readMatrix(coded, 'q')).rejects.toThrow(
      /"q" is damaged: .*other than the zero point in dense column 0/,
    )
    const infinite = Uint16Array.of(float32ToFloat16Bits(Number.POSITIVE_INFINITY))
    await using broken = await openStore(await stored({ tensor: ['k.denseValues', infinite] }))
    await expect(readMatrix(broken, 'k')).rejects.toThrow(/"k" is damaged: .*dense value at index 0 is not finite/)
  })

  test('whose files end within them is refused', async () => {
    const folder = await stored()
    const whole = await folder.open('model.safetensors')
    const short = memoryFolder({
      'model.safetensors': await whole.read(0, whole.size - 2),
      [MANIFEST_FILE]: await folder.readText(MANIFEST_FILE),
    })
    await expect(openStore(short)).rejects.toSatisfy(AwqError.is)
  })
})
