import { describe, expect, test } from 'vitest'
import { blobSource, memorySource } from './byte-source.ts'
import { memoryFolder } from './folder.ts'

const bytes = Uint8Array.of(1, 2, 3, 4, 5)

describe.each([
  ['memory', () => memorySource(bytes, 'five')],
  ['a Blob', () => blobSource(new Blob([bytes]), 'five')],
])('a source over %s', (_, make) => {
  test('reads any range', async () => {
    expect(make().size).toBe(5)
    expect(await make().read(1, 3)).toEqual(Uint8Array.of(2, 3, 4))
    expect(await make().read(5, 0)).toEqual(new Uint8Array(0))
  })

  test.each([
    [0, 6],
    [5, 1],
    [-1, 2],
    [0, -1],
    [0.5, 1],
    [NaN, 1],
    [2 ** 53, 2 ** 53],
  ])('refuses %d, %d', async (offset, length) => {
    await expect(make().read(offset, length)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: `five: ${length} bytes at ${offset} lie outside its 5 bytes`,
    })
  })

  test('stops by its signal', async () => {
    const reason = new Error('no more')
    await expect(make().read(0, 1, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})

test('a File gives its name', () =>
  expect(blobSource(new File([bytes], 'model.safetensors')).name).toBe('model.safetensors'))

describe('a folder in memory', () => {
  const folder = memoryFolder({ 'b.txt': 'β', a: bytes }, 'f')

  test('lists, has, opens and reads text', async () => {
    expect(await folder.list()).toEqual(['a', 'b.txt'])
    expect([await folder.has('a'), await folder.has('c'), await folder.has('toString')]).toEqual([true, false, false])
    expect(await folder.readText('b.txt')).toBe('β')
    expect((await folder.open('a')).name).toBe('f/a')
  })

  test('says what is missing, too long, or not text', async () => {
    await expect(folder.open('c')).rejects.toMatchObject({ code: 'NOT_FOUND', message: 'f has no file "c"' })
    await expect(folder.readText('b.txt', { maxBytes: 1 })).rejects.toThrow('f/b.txt has 2 bytes, more than the 1')
    const binary = memoryFolder({ x: Uint8Array.of(0xff) })
    await expect(binary.readText('x')).rejects.toMatchObject({ code: 'INVALID_FILE' })
  })
})
