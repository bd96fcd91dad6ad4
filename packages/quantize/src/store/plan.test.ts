import { AwqError, byteWidth, type DType, memorySource, openSafetensors } from '@awq/tensor'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { matrixEntries, type StoreEntry } from './entries.ts'
import { adjoiningRange } from './open.ts'
import { planStore } from './plan.ts'

const spec = { bits: 4, groupSize: 32, symmetric: false } as const

const entriesOf = fc
  .array(
    fc.record({
      dtype: fc.constantFrom<DType>('U8', 'F16', 'BF16', 'F32', 'I64', 'BOOL'),
      shape: fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 3 }),
      fuse: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
    }),
    { minLength: 1, maxLength: 20 },
  )
  .map((list) =>
    list.map(
      ({ dtype, shape, fuse }, index): StoreEntry => ({
        name: `tensor "${index}" é`,
        dtype,
        shape,
        ...(fuse === undefined ? {} : { fuse: `${dtype} ${fuse}` }),
      }),
    ),
  )

describe('planStore', () => {
  test('files are whole, within the limit, aligned, and fused tensors adjoin', async () => {
    await fc.assert(
      fc.asyncProperty(entriesOf, fc.integer({ min: 400_000, max: 900_000 }), async (entries, maxFileBytes) => {
        // A fused unit may be larger than a file; that is a refusal of its own.
        const total = entries.reduce((sum, { shape }) => sum + shape.reduce((p, d) => p * d, 1) * 8 + 300, 0)
        fc.pre(total < maxFileBytes)
        const plan = planStore(entries, { maxFileBytes })
        expect([...plan.tensors.keys()].sort()).toEqual(entries.map(({ name }) => name).sort())
        for (const file of plan.files) {
          expect(file.size).toBeLessThanOrEqual(maxFileBytes)
          const bytes = new Uint8Array(file.size)
          bytes.set(file.header)
          const checkpoint = await openSafetensors(memorySource(bytes, file.name))
          for (const entry of checkpoint.tensors.values()) {
            const planned = plan.tensors.get(entry.name)
            expect(planned).toMatchObject({ offset: entry.offset, length: entry.length, file: file.name })
            expect(planned?.dtype).toBe(entry.dtype)
            expect(entry.offset % byteWidth[entry.dtype]).toBe(0)
          }
        }
        for (const key of new Set(entries.map(({ fuse }) => fuse))) {
          if (key === undefined) continue
          const fused = entries.filter(({ fuse }) => fuse === key).map(({ name }) => plan.tensors.get(name))
          expect(adjoiningRange(fused as NonNullable<(typeof fused)[number]>[])).not.toBeNull()
        }
        expect(plan.bytes).toBe(plan.files.reduce((sum, { size }) => sum + size, 0))
      }),
      { numRuns: 60 },
    )
  })

  test('splits into several files with an index', () => {
    const entries = Array.from({ length: 10 }, (_, i) => ({ name: `t${i}`, dtype: 'F32' as const, shape: [64] }))
    const plan = planStore(entries, { maxFileBytes: 1300 })
    expect(plan.files.length).toBeGreaterThan(1)
    expect(plan.files.map(({ name }) => name)[0]).toBe(`model-00001-of-0000${plan.files.length}.safetensors`)
    for (const file of plan.files) expect(file.size).toBeLessThanOrEqual(1300)
    const index = JSON.parse(plan.index as string)
    expect(index.metadata.total_size).toBe(2560)
    for (const [name, tensor] of plan.tensors) expect(index.weight_map[name]).toBe(tensor.file)
    expect(planStore(entries).index).toBeNull()
    expect(planStore(entries).files.map(({ name }) => name)).toEqual(['model.safetensors'])
  })

  test('puts the codes, the scales and the zero points of fused matrices next to each other', () => {
    const names = ['q', 'k', 'v']
    const entries = names.flatMap((name, i) => matrixEntries(name, [i === 0 ? 64 : 16, 96], spec, 'qkv'))
    const plan = planStore([{ name: 'norm', dtype: 'F32', shape: [97] }, ...entries])
    const range = (part: string) =>
      adjoiningRange(
        names.map((name) => plan.tensors.get(`${name}.${part}`) as { file: string; offset: number; length: number }),
      )
    expect(range('codes')?.length).toBe((96 * 96) / 2)
    expect(range('scales')?.length).toBe(96 * 3 * 2)
    expect(range('zeroPoints')?.length).toBe(96 * 2)
    expect((range('codes') as { offset: number }).offset % 64).toBe(0)
  })

  test('refuses what cannot be laid out', () => {
    const large = { name: 'table', dtype: 'F32' as const, shape: [1000] }
    expect(() => planStore([large], { maxFileBytes: 4000 })).toThrow(/"table" takes 4000 bytes, but files/)
    expect(() => planStore([large, large])).toThrow(/two tensors are named/)
    const far = { ...large, shape: [600] }
    expect(() => planStore([far, { ...large, name: 'other' }, far], { maxFileBytes: 6000 })).toThrow(
      /two tensors are named/,
    )
    const fused = [
      { ...large, fuse: 'a' },
      { name: 'half', dtype: 'F16' as const, shape: [2], fuse: 'a' },
    ]
    expect(() => planStore(fused)).toThrow(/cannot be fused/)
    expect(() => planStore([])).toThrow(AwqError)
    expect(() => planStore([large], { maxFileBytes: Number.NaN })).toThrow(/maxFileBytes/)
    expect(() => planStore([{ ...large, shape: [2 ** 40, 2 ** 40] }])).toThrow(AwqError)
  })
})
