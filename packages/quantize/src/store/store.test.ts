import { AwqError, dequantize, fromFloat32, memoryFolder, type QuantizedMatrix } from '@awq/tensor'
import { describe, expect, test } from 'vitest'
import { gaussians, randomMatrix } from '../fixtures/reference.ts'
import { roundRtn } from '../rtn.ts'
import { effectiveGroupSize, type QuantSpec } from '../spec.ts'
import { matrixEntries } from './entries.ts'
import { MANIFEST_FILE, type Manifest } from './manifest.ts'
import { openStore, readMatrix } from './open.ts'
import { planStore } from './plan.ts'
import { memoryStoreSink } from './sink.ts'
import { writeStore } from './writer.ts'

const random = gaussians(3)
const specs: QuantSpec[] = [
  { bits: 4, groupSize: 32, symmetric: false },
  { bits: 3, groupSize: 64, symmetric: true },
  { bits: 3, groupSize: 16, symmetric: false },
  { bits: 8, groupSize: -1, symmetric: false },
  { bits: 2, groupSize: 128, symmetric: true },
]
const matrices = new Map<string, { spec: QuantSpec; matrix: QuantizedMatrix }>(
  specs.map((spec, i) => {
    const shape = [5 + i, 300 - 40 * i] as const
    return [`layer.${i}.weight`, { spec, matrix: roundRtn(randomMatrix(random, ...shape, 0.1), shape, spec) }]
  }),
)
const norm = Float32Array.of(1, 2, 3)

function manifestOf(): Manifest {
  const entries = [...matrices].map(([name, { spec, matrix }]) => [name, { ...spec, shape: [...matrix.shape] }])
  return {
    format: 'awq',
    version: 1,
    method: 'rtn',
    ...(specs[0] as QuantSpec),
    matrices: Object.fromEntries(entries),
    folded: [{ producer: 'norm', consumers: ['layer.0.weight'], alpha: 0.5 }],
    calibration: null,
    source: { name: 'random' },
  }
}

const planOf = (maxFileBytes?: number) =>
  planStore(
    [
      ...[...matrices].flatMap(([name, { spec, matrix }]) => matrixEntries(name, matrix.shape, spec)),
      { name: 'norm', dtype: 'F32', shape: [3] },
    ],
    maxFileBytes === undefined ? {} : { maxFileBytes },
  )

async function written(
  manifest: unknown = manifestOf(),
  maxFileBytes?: number,
): Promise<Record<string, Uint8Array | string>> {
  const plan = planOf(maxFileBytes)
  const sink = memoryStoreSink(plan.files)
  const writer = await writeStore(plan, sink)
  for (const [name, { matrix }] of matrices) await writer.writeMatrix(name, matrix)
  await writer.write('norm', fromFloat32(norm, 'F32'))
  await writer.finish()
  const index = plan.index === null ? {} : { 'model.safetensors.index.json': plan.index }
  return { ...sink.files, ...index, [MANIFEST_FILE]: JSON.stringify(manifest) }
}

/** Rows `from` to `to` of a matrix. */
const rowsOf = (matrix: QuantizedMatrix, from: number, to: number): QuantizedMatrix => {
  const [out, inputs] = matrix.shape
  const part = <T extends Uint8Array | Uint16Array>(values: T): T =>
    values.slice((values.length / out) * from, (values.length / out) * to) as T
  const { codes, scales, zeroPoints } = matrix
  const parts = { codes: part(codes), scales: part(scales), zeroPoints: zeroPoints && part(zeroPoints) }
  return { ...matrix, shape: [to - from, inputs], ...parts }
}

describe('a store', () => {
  test('takes a matrix in pieces of rows', async () => {
    const plan = planOf()
    const sink = memoryStoreSink(plan.files)
    const writer = await writeStore(plan, sink)
    for (const [name, { matrix }] of matrices) {
      const [out] = matrix.shape
      const middle = Math.ceil(out / 3)
      await writer.writeMatrix(name, rowsOf(matrix, 0, middle))
      if (middle < out) await writer.writeMatrix(name, rowsOf(matrix, middle, out), middle)
    }
    await writer.write('norm', fromFloat32(norm, 'F32'))
    await writer.finish()
    const whole = await written()
    for (const { name } of plan.files) expect(sink.files[name]).toEqual(whole[name])
  })

  test.each([undefined, 6000])('gives back every matrix, files of at most %s bytes', async (maxFileBytes) => {
    await using store = await openStore(memoryFolder(await written(manifestOf(), maxFileBytes)))
    expect([...store.matrices.keys()]).toEqual([...matrices.keys()])
    expect([...store.dense.keys()]).toEqual(['norm'])
    for (const [name, { spec, matrix }] of matrices) {
      expect(store.matrices.get(name)).toMatchObject(spec)
      const read = await readMatrix(store, name)
      expect(read.groupSize).toBe(effectiveGroupSize(spec.groupSize, matrix.shape[1]))
      expect(read).toEqual(matrix)
      expect(dequantize(read)).toEqual(dequantize(matrix))
    }
    expect(store.manifest).toEqual(manifestOf())
    await expect(readMatrix(store, 'norm')).rejects.toThrow(/no quantized matrix "norm"/)
  })

  const first = ['matrices', 'layer.0.weight']
  const hostile: [what: string, path: string[], value: unknown, message: RegExp][] = [
    [
      'a wider matrix',
      [...first, 'shape'],
      [5, 400],
      /layer\.0\.weight\.codes should be U8 \[5, 13, 16\], but is U8 \[5, 10, 16\]/,
    ],
    ['more rows', [...first, 'shape'], [8, 300], /layer\.0\.weight\.codes should be/],
    ['other bits', [...first, 'bits'], 8, /layer\.0\.weight\.codes should be/],
    ['other groups', [...first, 'groupSize'], 64, /layer\.0\.weight\.codes should be/],
    ['symmetry it has not', [...first, 'symmetric'], true, /"layer\.0\.weight".*symmetric but has zero points/],
    [
      'zero points it has not',
      ['matrices', 'layer.1.weight', 'symmetric'],
      false,
      /no tensor layer\.1\.weight\.zeroPoints/,
    ],
    ['a matrix it has not', ['matrices', 'x'], { ...specs[0], shape: [1, 1] }, /"x".*no tensor x\.codes/],
    ['a huge shape', [...first, 'shape'], [2 ** 40, 2 ** 40], /layer\.0\.weight/],
    ['a negative shape', [...first, 'shape'], [-5, 300], /matrices\.layer\.0\.weight\.shape\.0/],
    ['a fractional shape', [...first, 'shape'], [5.5, 300], /matrices\.layer\.0\.weight\.shape\.0/],
    ['a shape of three', [...first, 'shape'], [5, 300, 1], /matrices\.layer\.0\.weight\.shape/],
    ['5 bits', ['bits'], 5, /bits/],
    ['a group of 24', ['groupSize'], 24, /groupSize: must be 16/],
    ['text for symmetric', [...first, 'symmetric'], 'no', /symmetric/],
    ['no matrices', ['matrices'], undefined, /matrices/],
    ['another format', ['format'], 'gguf', /format/],
    ['a later version', ['version'], 2, /version 2; this library reads version 1/],
    ['hashes that are none', ['hashes'], { a: 'xyz' }, /hashes\.a/],
  ]
  test.each(hostile)('with %s in its manifest is refused', async (_, path, value, message) => {
    const manifest = JSON.parse(JSON.stringify(manifestOf()))
    const parent = path.slice(0, -1).reduce((object, key) => object[key], manifest)
    parent[path.at(-1) as string] = value
    const opening = openStore(memoryFolder(await written(manifest)))
    await expect(opening).rejects.toThrow(message)
    await expect(opening).rejects.toSatisfy(AwqError.is)
  })

  test('without a manifest, or with one that is not JSON, is refused', async () => {
    const files = await written()
    await expect(openStore(memoryFolder({ ...files, [MANIFEST_FILE]: '{' }))).rejects.toThrow(/is not JSON/)
    await expect(openStore(memoryFolder({ ...files, [MANIFEST_FILE]: 'null' }))).rejects.toThrow(/the file/)
    delete files[MANIFEST_FILE]
    await expect(openStore(memoryFolder(files))).rejects.toThrow(/not a quantized store/)
  })

  test('with damaged scales is refused when the matrix is read', async () => {
    const files = await written()
    const { offset } = planOf().tensors.get('layer.0.weight.scales') as { offset: number }
    ;(files['model.safetensors'] as Uint8Array).set([0x00, 0x7c], offset)
    await using store = await openStore(memoryFolder(files))
    await expect(readMatrix(store, 'layer.0.weight')).rejects.toThrow(/"layer\.0\.weight" is damaged: .*not finite/)
  })
})

describe('a store writer', () => {
  const open = async (keep?: boolean | string[]) => {
    const plan = planOf()
    const sink = memoryStoreSink(plan.files)
    return { sink, plan, writer: await writeStore(plan, sink, keep === undefined ? {} : { keep }) }
  }
  const bytes = fromFloat32(norm, 'F32')

  test('takes every tensor exactly once', async () => {
    const { writer } = await open()
    await writer.write('norm', bytes)
    await expect(writer.write('norm', bytes)).rejects.toThrow(/"norm" \[3\]: it was already written/)
    await expect(writer.write('other', bytes)).rejects.toThrow(/"other" is not in the plan/)
    await expect(writer.write('layer.0.weight.codes', bytes.subarray(0, 5), 10 ** 6)).rejects.toThrow(/do not fit/)
    await expect(writer.finish()).rejects.toThrow(/^memory: 13 tensors were never written/)
    await expect(writer.finish()).rejects.toThrow(/layer\.0\.weight\.codes/)
    await writer.close()
    await expect(writer.write('layer.0.weight.codes', bytes)).rejects.toThrow(/closed/)
  })

  test('takes a tensor in pieces that follow each other', async () => {
    const { writer, sink, plan } = await open()
    await writer.write('norm', bytes.subarray(0, 4))
    expect(writer.unwritten()).toContain('norm')
    await expect(writer.write('norm', bytes.subarray(8), 8)).rejects.toThrow(/a piece at 8 does not follow the 4 bytes/)
    await expect(writer.write('norm', bytes.subarray(0, 4), 0)).rejects.toThrow(/does not follow/)
    await writer.write('norm', bytes.subarray(4), 4)
    expect(writer.unwritten()).not.toContain('norm')
    const { file, offset } = plan.tensors.get('norm') as { file: string; offset: number }
    expect(sink.files[file]?.slice(offset, offset + 12)).toEqual(bytes)
  })

  test('of a kept store rewrites once and counts what was kept', async () => {
    const { writer, plan } = await open(['norm'])
    expect(writer.unwritten().length).toBe(plan.tensors.size - 1)
    await writer.write('norm', bytes)
    await expect(writer.write('norm', bytes)).rejects.toThrow(/already written/)
    const all = await open(true)
    expect(all.writer.unwritten()).toEqual([])
    await all.writer.finish()
  })
})
