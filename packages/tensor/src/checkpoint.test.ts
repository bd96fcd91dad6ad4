import { describe, expect, test } from 'vitest'
import { openCheckpoint } from './checkpoint.ts'
import { type Folder, memoryFolder } from './folder.ts'
import { readFloat32 } from './safetensors.ts'
import { memorySink, writeSafetensors } from './safetensors-write.ts'

/** A safetensors file whose tensors have one byte each. */
async function file(tensors: Record<string, number>): Promise<Uint8Array> {
  const sink = memorySink()
  const entries = Object.entries(tensors).map(([name, value]) => {
    return { name, dtype: 'U8' as const, shape: [1], data: Uint8Array.of(value) }
  })
  await writeSafetensors(entries, sink, { metadata: { format: 'pt' } })
  return sink.bytes()
}

const index = (weightMap: unknown) => JSON.stringify({ metadata: { total_size: 1 }, weight_map: weightMap })
const value = async (folder: Folder, name: string) => {
  const checkpoint = await openCheckpoint(folder)
  return (await readFloat32(checkpoint.tensors.get(name)!))[0]
}

describe('which files are the checkpoint', () => {
  test('model.safetensors before everything', async () => {
    const folder = memoryFolder({
      'model.safetensors': await file({ w: 1 }),
      'other.safetensors': await file({ w: 2 }),
      'model.safetensors.index.json': index({ w: 'other.safetensors' }),
    })
    expect(await value(folder, 'w')).toBe(1)
  })

  test('the index and its shards before other files', async () => {
    const folder = memoryFolder({
      'model-1.safetensors': await file({ a: 1 }),
      'model-2.safetensors': await file({ b: 2 }),
      'consolidated.safetensors': await file({ a: 3 }),
      'model.safetensors.index.json': index({ a: 'model-1.safetensors', b: 'model-2.safetensors' }),
    })
    const checkpoint = await openCheckpoint(folder)
    expect([...checkpoint.tensors.values()].map(({ name, file }) => [name, file])).toEqual([
      ['a', 'model-1.safetensors'],
      ['b', 'model-2.safetensors'],
    ])
    expect(checkpoint.metadata).toEqual({ format: 'pt' })
  })

  test('an index of another name, when it is the only one', async () => {
    const folder = memoryFolder({
      'x-1.safetensors': await file({ a: 4 }),
      'x.safetensors.index.json': index({ a: 'x-1.safetensors' }),
    })
    expect(await value(folder, 'a')).toBe(4)
  })

  test('the only safetensors file, whatever its name', async () => {
    expect(await value(memoryFolder({ 'weights.safetensors': await file({ a: 5 }) }), 'a')).toBe(5)
  })

  test.each([
    ['no file', {}, 'm has no model.safetensors, model.safetensors.index.json or a single *.safetensors file'],
    ['another format', { 'pytorch_model.bin': '' }, 'm has weights in another format'],
    [
      'several files without an index',
      { 'a.safetensors': '', 'b.safetensors': '' },
      'found a.safetensors, b.safetensors',
    ],
  ])('%s: the error says what was looked for', async (_, files, message) => {
    const opening = openCheckpoint(memoryFolder(files, 'm'))
    await expect(opening).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining(message) })
  })
})

describe('an index', () => {
  test('decides when a tensor is in two shards', async () => {
    const folder = memoryFolder({
      '1.safetensors': await file({ a: 1, b: 1 }),
      '2.safetensors': await file({ a: 2 }),
      'model.safetensors.index.json': index({ a: '2.safetensors', b: '1.safetensors' }),
    })
    expect(await value(folder, 'a')).toBe(2)
  })

  test.each([
    ['a missing shard', { a: 'gone.safetensors' }, 'NOT_FOUND', /shard gone\.safetensors that .* lists is missing/],
    [
      'a tensor its shard lacks',
      { z: '1.safetensors' },
      'INVALID_FILE',
      /puts "z" into 1\.safetensors, which lacks it/,
    ],
    ['a path that leaves the folder', { a: '../1.safetensors' }, 'INVALID_FILE', /not the name of a file within/],
    ['an absolute path', { a: '/etc/passwd' }, 'INVALID_FILE', /not the name of a file within/],
    ['a Windows path', { a: 'C:\\x.safetensors' }, 'INVALID_FILE', /not the name of a file within/],
    ['a path with a hidden ascent', { a: 'x/../../1.safetensors' }, 'INVALID_FILE', /not the name of a file within/],
    ['a zero byte', { a: '1.safetensors\0' }, 'INVALID_FILE', /not the name of a file within/],
    ['an empty file name', { a: '' }, 'INVALID_FILE', /not the name of a file within/],
    ['a file that is a number', { a: 1 }, 'INVALID_FILE', /file of "a" is not a string/],
    ['no tensor', {}, 'INVALID_FILE', /lists no tensor/],
    ['a weight_map that is an array', ['1.safetensors'], 'INVALID_FILE', /no object "weight_map"/],
    ['no weight_map', undefined, 'INVALID_FILE', /no object "weight_map"/],
  ])('with %s is refused', async (_, weightMap, code, message) => {
    const folder = memoryFolder({
      '1.safetensors': await file({ a: 1 }),
      'model.safetensors.index.json': index(weightMap),
    })
    await expect(openCheckpoint(folder)).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
  })

  test.each([
    ['{', /is not JSON/],
    ['null', /no object "weight_map"/],
    ['[]', /no object/],
  ])('that reads %s is refused', async (text, message) => {
    const folder = memoryFolder({ 'model.safetensors.index.json': text }, 'm')
    await expect(openCheckpoint(folder)).rejects.toThrow(message)
  })

  test('a bad shard is named, and the good ones are closed', async () => {
    const good = await file({ a: 1 })
    const memory = memoryFolder({
      '1.safetensors': good,
      '2.safetensors': good.slice(0, -1),
      'model.safetensors.index.json': index({ a: '1.safetensors', b: '2.safetensors' }),
    })
    let open = 0
    const counting: Folder = {
      ...memory,
      open: async (name) => {
        const source = await memory.open(name)
        open++
        return { ...source, close: async () => void open-- }
      },
    }
    await expect(openCheckpoint(counting)).rejects.toThrow('memory/2.safetensors is not a valid safetensors file')
    expect(open).toBe(0)
    const checkpoint = await openCheckpoint({ ...counting, list: async () => ['1.safetensors'] })
    expect(open).toBe(1)
    await checkpoint[Symbol.asyncDispose]()
    expect(open).toBe(0)
  })
})
