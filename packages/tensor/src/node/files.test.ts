import { mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openSafetensors } from '../safetensors.ts'
import { writeSafetensors } from '../safetensors-write.ts'
import { fileSink } from './file-sink.ts'
import { fileSource } from './file-source.ts'
import { openFolder } from './open-folder.ts'

let root = ''
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'awq-tensor-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

describe('fileSource', () => {
  test('reads ranges, many at once, and closes', async () => {
    const path = join(root, 'ranges')
    await writeFile(
      path,
      Uint8Array.from({ length: 1000 }, (_, i) => i % 256),
    )
    const source = await fileSource(path)
    expect(source.size).toBe(1000)
    const parts = await Promise.all([0, 100, 999].map((offset) => source.read(offset, 1)))
    expect(parts.map((part) => part[0])).toEqual([0, 100, 999 % 256])
    expect(await source.read(1000, 0)).toEqual(new Uint8Array(0))
    await expect(source.read(999, 2)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await source.close?.()
    await expect(source.read(0, 1)).rejects.toMatchObject({ code: 'IO' })
  })

  test('says when the file shrank', async () => {
    const path = join(root, 'shrinking')
    await writeFile(path, new Uint8Array(100))
    const source = await fileSource(path)
    await truncate(path, 50)
    await expect(source.read(40, 20)).rejects.toMatchObject({
      code: 'INVALID_FILE',
      message: `${path} has become shorter than its 100 bytes while in use`,
    })
    await source.close?.()
  })

  test('says what is not a file', async () => {
    await expect(fileSource(join(root, 'none'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(fileSource(root)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  test('stops by its signal', async () => {
    const path = join(root, 'signal')
    await writeFile(path, 'x')
    const source = await fileSource(path)
    const reason = new Error('stop')
    await expect(source.read(0, 1, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    await source.close?.()
  })
})

describe('openFolder', () => {
  test('lists files and links to files, and locates what a link means', async () => {
    const model = join(root, 'model')
    await mkdir(join(model, 'onnx'), { recursive: true })
    await mkdir(join(root, 'blobs'))
    await writeFile(join(root, 'blobs', 'abc'), 'bytes')
    await writeFile(join(model, 'config.json'), '{}')
    await symlink('../blobs/abc', join(model, 'model.safetensors'))
    await symlink('../blobs/gone', join(model, 'dangling'))
    const folder = await openFolder(model)
    expect(folder.path).toBe(model)
    expect(await folder.list()).toEqual(['config.json', 'model.safetensors'])
    expect([await folder.has('config.json'), await folder.has('dangling'), await folder.has('onnx')]).toEqual([
      true,
      false,
      false,
    ])
    expect(await folder.readText('model.safetensors')).toBe('bytes')
    expect(await folder.locate?.('model.safetensors')).toEqual({ directory: join(root, 'blobs'), file: 'abc' })
    expect(await folder.locate?.('config.json')).toEqual({ directory: model, file: 'config.json' })
    await expect(folder.open('../blobs/abc')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(folder.open('nothing')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(folder.readText('config.json', { maxBytes: 1 })).rejects.toMatchObject({ code: 'INVALID_FILE' })
  })

  test('says what is not a folder', async () => {
    await writeFile(join(root, 'a-file'), '')
    await expect(openFolder(join(root, 'a-file'))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(openFolder(join(root, 'nowhere'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})

describe('fileSink', () => {
  const tensor = { name: 'w', dtype: 'U8' as const, shape: [3], data: Uint8Array.of(1, 2, 3) }

  test('writes a file that is there only when it is whole', async () => {
    const folder = await mkdtemp(join(root, 'sink-'))
    const path = join(folder, 'out.safetensors')
    const seen: string[][] = []
    const data = async () => {
      seen.push(await readdir(folder))
      return Uint8Array.of(1, 2, 3)
    }
    await writeSafetensors([{ ...tensor, data }], await fileSink(path))
    expect(seen[0]).toHaveLength(1)
    expect(seen[0]![0]).toMatch(/\.partial$/)
    expect(await readdir(folder)).toEqual(['out.safetensors'])
    const { tensors, close } = await openSafetensors(await fileSource(path))
    expect(await tensors.get('w')!.read()).toEqual(Uint8Array.of(1, 2, 3))
    await close()
  })

  test('leaves an existing file and nothing else when writing fails', async () => {
    const folder = await mkdtemp(join(root, 'sink-'))
    const path = join(folder, 'out.safetensors')
    await writeFile(path, 'old')
    const failing = { ...tensor, data: () => Promise.reject(new Error('no data')) }
    await expect(writeSafetensors([failing], await fileSink(path))).rejects.toThrow('no data')
    expect(await readdir(folder)).toEqual(['out.safetensors'])
    expect(await readFile(path, 'utf8')).toBe('old')
  })

  test('says when the folder is missing', async () => {
    await expect(fileSink(join(root, 'missing', 'x'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})
