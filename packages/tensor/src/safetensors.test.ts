import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { memorySource } from './byte-source.ts'
import { fromFloat32 } from './convert.ts'
import { byteLength, byteWidth, type DType } from './dtype.ts'
import { AwqError } from './error.ts'
import { openSafetensors, readFloat32 } from './safetensors.ts'
import { safetensorsHeader } from './safetensors-header.ts'
import { memorySink, type TensorToWrite, writeSafetensors } from './safetensors-write.ts'

/** Writes entries and opens what was written. */
async function roundTrip(entries: TensorToWrite[], metadata: Record<string, string> = {}) {
  const sink = memorySink()
  await writeSafetensors(entries, sink, { metadata })
  return openSafetensors(memorySource(sink.bytes(), 'written.safetensors'))
}

const matrix = (name: string, rows: number, columns: number): TensorToWrite => ({
  name,
  dtype: 'F32',
  shape: [rows, columns],
  data: fromFloat32(
    Float32Array.from({ length: rows * columns }, (_, i) => i),
    'F32',
  ),
})

test('what is written is read: any names, dtypes, shapes, bytes and metadata', async () => {
  const dtypes = Object.keys(byteWidth) as DType[]
  const name = fc.string({ unit: 'grapheme' }).filter((text) => text !== '__metadata__' && text !== '__proto__')
  const declaration = fc.record({
    name,
    dtype: fc.constantFrom(...dtypes),
    shape: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }),
  })
  const tensors = fc.uniqueArray(declaration, { selector: (entry) => entry.name, maxLength: 8 })
  const metadata = fc.dictionary(name, fc.string({ unit: 'grapheme' }))
  await fc.assert(
    fc.asyncProperty(tensors, metadata, fc.integer(), async (declarations, notes, seed) => {
      const entries = declarations.map((entry, index) => {
        const bytes = new Uint8Array(byteLength(entry.dtype, entry.shape))
        return { ...entry, data: bytes.map((_, i) => Math.imul(seed + index, i + 7) >>> 3) }
      })
      const { tensors, metadata: read } = await roundTrip(entries, notes)
      expect({ ...read }).toEqual({ ...notes })
      expect(tensors.size).toBe(entries.length)
      for (const { name, dtype, shape, data } of entries) {
        const entry = tensors.get(name)!
        expect(entry).toMatchObject({ name, dtype, shape, length: data.length })
        expect(await entry.read()).toEqual(data)
      }
    }),
    { numRuns: 60 },
  )
})

describe('rows', () => {
  test('are cut from the first dimension', async () => {
    const { tensors } = await roundTrip([matrix('before', 1, 1), matrix('w', 4, 3)])
    const entry = tensors.get('w')!
    expect([...(await readFloat32(entry, { rows: [1, 3] }))]).toEqual([3, 4, 5, 6, 7, 8])
    expect([...(await readFloat32(entry, { rows: [0, 4] }))]).toEqual([...(await readFloat32(entry))])
    expect((await entry.read({ rows: [4, 4] })).length).toBe(0)
  })

  test.each([[[0, 5]], [[-1, 2]], [[3, 2]], [[0.5, 2]], [[0, NaN]]] as [[number, number]][])(
    '%j are refused',
    async (rows) => {
      const { tensors } = await roundTrip([matrix('w', 4, 3)])
      await expect(tensors.get('w')!.read({ rows })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: `w [4, 3] has no rows ${rows[0]} to ${rows[1]}`,
      })
    },
  )

  test('of a scalar are refused', async () => {
    const scalar: TensorToWrite = { name: 's', dtype: 'U8', shape: [], data: Uint8Array.of(7) }
    const { tensors } = await roundTrip([scalar])
    expect(await tensors.get('s')!.read()).toEqual(Uint8Array.of(7))
    await expect(tensors.get('s')!.read({ rows: [0, 1] })).rejects.toThrow('has no rows')
  })

  test('what is read belongs to the reader', async () => {
    const { tensors } = await roundTrip([matrix('w', 2, 2)])
    const first = await readFloat32(tensors.get('w')!)
    first.fill(9)
    expect([...(await readFloat32(tensors.get('w')!))]).toEqual([0, 1, 2, 3])
  })

  test('a read stops by its signal', async () => {
    const { tensors } = await roundTrip([matrix('w', 2, 2)])
    const reason = new Error('enough')
    await expect(tensors.get('w')!.read({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})

describe('a header', () => {
  test('is padded so that the data begins at a multiple of 64, and gives absolute offsets', () => {
    const { header, offsets, size } = safetensorsHeader([
      { name: 'a', dtype: 'F32', shape: [3] },
      { name: 'b', dtype: 'U8', shape: [5] },
    ])
    expect(header.length % 64).toBe(0)
    expect(offsets.get('a')).toEqual({ offset: header.length, length: 12 })
    expect(offsets.get('b')).toEqual({ offset: header.length + 12, length: 5 })
    expect(size).toBe(header.length + 17)
  })

  test.each([
    ['a name twice', [1, 2].map(() => ({ name: 'a', dtype: 'U8' as const, shape: [1] })), 'two tensors are named "a"'],
    ['a reserved name', [{ name: '__metadata__', dtype: 'U8' as const, shape: [1] }], 'cannot be named'],
    ['an unknown dtype', [{ name: 'a', dtype: 'F99' as 'F32', shape: [1] }], 'unknown dtype "F99"'],
    ['a negative size', [{ name: 'a', dtype: 'U8' as const, shape: [-1] }], '-1 is not a non-negative integer'],
    ['too many elements', [{ name: 'a', dtype: 'U8' as const, shape: [2 ** 40, 2 ** 40] }], 'more elements'],
  ])('%s is refused', (_, entries, message) => {
    expect(() => safetensorsHeader(entries)).toThrow(message)
  })
})

describe('writing', () => {
  const recorder = () => {
    const events: string[] = []
    const sink = {
      events,
      write: async (bytes: Uint8Array) => void events.push(`write ${bytes.length}`),
      close: async () => void events.push('close'),
      abort: async () => void events.push('abort'),
    }
    return sink
  }

  test('makes the data of one tensor at a time, in order, and reports progress', async () => {
    const sink = recorder()
    const lazy = (name: string): TensorToWrite => ({
      name,
      dtype: 'U8',
      shape: [3],
      data: async () => {
        sink.events.push(`make ${name}`)
        return Uint8Array.of(1, 2, 3)
      },
    })
    async function* entries() {
      yield lazy('a')
      yield lazy('b')
    }
    const progress: unknown[] = []
    await writeSafetensors(entries(), sink, { onProgress: (event) => progress.push(event) })
    const header = Number(sink.events[0]!.split(' ')[1])
    expect(sink.events.slice(1)).toEqual(['make a', 'write 3', 'make b', 'write 3', 'close'])
    expect(progress).toEqual([
      { tensor: 'a', written: header + 3, total: header + 6 },
      { tensor: 'b', written: header + 6, total: header + 6 },
    ])
  })

  test('data of another length is refused and the sink aborted', async () => {
    const sink = recorder()
    const entry: TensorToWrite = { name: 'a', dtype: 'F32', shape: [2], data: new Uint8Array(7) }
    await expect(writeSafetensors([entry], sink)).rejects.toThrow('tensor "a": 7 bytes given, 8 needed')
    expect(sink.events.at(-1)).toBe('abort')
    expect(sink.events).not.toContain('close')
  })

  test('stops by its signal', async () => {
    const sink = recorder()
    const stop = new AbortController()
    const entry: TensorToWrite = {
      name: 'a',
      dtype: 'U8',
      shape: [1],
      data: () => {
        stop.abort(new Error('stopped'))
        return Uint8Array.of(1)
      },
    }
    await expect(writeSafetensors([entry], sink, { signal: stop.signal })).rejects.toThrow('stopped')
    expect(sink.events.at(-1)).toBe('abort')
  })

  test('an error is an AwqError also for another copy of the package', async () => {
    const error = await writeSafetensors(
      [{ name: 'a', dtype: 'U8', shape: [2], data: new Uint8Array(1) }],
      recorder(),
    ).catch((reason: unknown) => reason)
    expect(AwqError.is(error)).toBe(true)
    const foreign = Object.assign(new Error('x'), { code: 'IO', [Symbol.for('@awq/tensor/AwqError')]: true })
    expect(AwqError.is(foreign)).toBe(true)
    expect(AwqError.is(new Error('x'))).toBe(false)
    expect(AwqError.is(null)).toBe(false)
  })
})
