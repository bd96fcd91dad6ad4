import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { openFolder } from '@awq/tensor/node'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { COMMIT, checkFinished, WRITING } from '../folder/unfinished.ts'
import { writeBytes } from '../folder/writer.ts'
import { openFolderWriter } from './disk-writer.ts'
import { LOCK } from './folder-lock.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'awq-writer-'))
})
afterEach(() => rm(directory, { recursive: true }))

const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i)

describe('an output folder on disk', () => {
  test('appears whole, with folders in it', async () => {
    const path = join(directory, 'made', 'here')
    const writer = await openFolderWriter(path)
    const file = await writer.createFile('onnx/model.bin', 1000)
    await file.write(500, bytes.subarray(500))
    await file.write(0, bytes.subarray(0, 500))
    await file.close()
    await writer.writeText('config.json', '{}')
    expect(await writer.hashes()).toEqual({
      'onnx/model.bin': createHash('sha256').update(bytes).digest('hex'),
      'config.json': createHash('sha256').update('{}').digest('hex'),
    })
    expect((await readdir(path)).every((name) => name.startsWith('.'))).toBe(true)
    expect(await writer.commit()).toBe(1002)
    await writer.discard()
    expect((await readdir(path)).sort()).toEqual(['config.json', 'onnx'])
    expect(new Uint8Array(await readFile(join(path, 'onnx', 'model.bin')))).toEqual(bytes)
  })

  test('a second name of a file shares its bytes', async () => {
    const path = join(directory, 'linked')
    const writer = await openFolderWriter(path)
    await writeBytes(writer, 'onnx/one.bin', bytes)
    await writer.linkFile('onnx/two.bin', 'onnx/one.bin')
    await expect(writer.linkFile('three.bin', 'none.bin')).rejects.toThrow('has no file none.bin')
    await expect(writer.linkFile('onnx/one.bin', 'onnx/two.bin')).rejects.toThrow('two files')
    expect(Object.keys(await writer.hashes())).toEqual(['onnx/one.bin', 'onnx/two.bin'])
    expect(await writer.commit()).toBe(1000)
    expect(new Uint8Array(await readFile(join(path, 'onnx', 'two.bin')))).toEqual(bytes)
    expect((await stat(join(path, 'onnx', 'two.bin'))).nlink).toBe(2)
  })

  test('discarded leaves nothing, nor the folders that were made for it', async () => {
    const writer = await openFolderWriter(join(directory, 'made', 'here'))
    await writer.createFile('model.bin', 1000)
    await writer.discard()
    expect(await readdir(directory)).toEqual([])
    const kept = join(directory, 'kept')
    await mkdir(kept)
    const other = await openFolderWriter(kept)
    await other.writeText('a', 'b')
    await other.discard()
    expect(await readdir(kept)).toEqual([])
  })

  test('that holds something is refused and stays as it was', async () => {
    await writeFile(join(directory, 'mine'), 'x')
    await expect(openFolderWriter(directory)).rejects.toThrow(/is not empty \(it holds mine\)/)
    expect(await readdir(directory)).toEqual(['mine'])
    await expect(openFolderWriter(join(directory, 'mine'))).rejects.toThrow(/mine/)
    expect(await readFile(join(directory, 'mine'), 'utf8')).toBe('x')
    const unfinished = join(directory, 'unfinished')
    await mkdir(join(unfinished, '.awq-partial'), { recursive: true })
    await expect(openFolderWriter(unfinished)).rejects.toThrow(/holds an unfinished quantization/)
  })

  test('is written by one process at a time; what a killed one left is removed', async () => {
    const first = await openFolderWriter(directory)
    await first.writeText('a', 'first')
    await expect(openFolderWriter(directory)).rejects.toThrow(/is writing here/)
    await first.discard()
    await mkdir(join(directory, WRITING))
    await writeFile(join(directory, WRITING, 'a'), 'old')
    await writeFile(join(directory, LOCK), `${2 ** 30}\n${hostname()}\n`)
    const second = await openFolderWriter(directory)
    await second.writeText('a', 'new')
    await second.commit()
    expect(await readdir(directory)).toEqual(['a'])
    expect(await readFile(join(directory, 'a'), 'utf8')).toBe('new')
  })

  test('whose commit was cut short is refused by readers, and made again by the next writer', async () => {
    const writer = await openFolderWriter(directory)
    for (const file of ['README.md', 'onnx/model.onnx', 'config.json']) await writer.writeText(file, 'first')
    // A folder of the last file's name stops the commit where a killed process would have.
    await mkdir(join(directory, 'config.json', 'in the way'), { recursive: true })
    await expect(writer.commit()).rejects.toThrow(/cannot be written/)
    await rm(join(directory, 'config.json'), { recursive: true })
    await rm(join(directory, LOCK))
    expect((await readdir(directory)).sort()).toEqual([WRITING, 'README.md', 'onnx'])
    expect(await readdir(join(directory, WRITING))).toEqual([COMMIT, 'config.json'])
    await expect(checkFinished(await openFolder(directory))).rejects.toThrow(/holds half of a model.*repeat it/)
    const second = await openFolderWriter(directory)
    await second.writeText('config.json', 'second')
    await second.commit()
    expect(await readdir(directory)).toEqual(['config.json'])
    await checkFinished(await openFolder(directory))
  })

  test('a commit that fails leaves nothing', async () => {
    const writer = await openFolderWriter(directory)
    for (const file of ['README.md', 'config.json']) await writer.writeText(file, 'first')
    await mkdir(join(directory, 'config.json', 'in the way'), { recursive: true })
    await expect(writer.commit()).rejects.toThrow(/cannot be written/)
    await writer.discard()
    expect(await readdir(directory)).toEqual(['config.json'])
    expect(await readdir(join(directory, 'config.json'))).toEqual(['in the way'])
  })

  test('whose commit only lacked its end is whole', async () => {
    const writer = await openFolderWriter(directory)
    await writer.writeText('config.json', 'x')
    await writer.commit()
    await mkdir(join(directory, WRITING))
    await writeFile(join(directory, WRITING, COMMIT), '{"names":["README.md","config.json"]}')
    await checkFinished(await openFolder(directory))
    await expect(openFolderWriter(directory)).rejects.toThrow(/is not empty \(it holds config.json\)/)
    expect(await readdir(directory)).toEqual(['config.json'])
  })

  test('a forged commit file removes nothing beside the folder', async () => {
    await mkdir(join(directory, 'out', WRITING), { recursive: true })
    await writeFile(join(directory, 'mine'), 'x')
    const names = ['../mine', '..', '.', '', 'a/../../mine', 3, join(directory, 'mine')]
    await writeFile(join(directory, 'out', WRITING, COMMIT), JSON.stringify({ names }))
    const writer = await openFolderWriter(join(directory, 'out'))
    await writer.discard()
    expect(await readFile(join(directory, 'mine'), 'utf8')).toBe('x')
  })

  test('takes no names that leave it or collide, no bytes beyond a file, and no file larger than the disk', async () => {
    const writer = await openFolderWriter(directory)
    for (const name of ['../a', '/a', 'a//b', 'a\\b', 'c:a', '', 'a/..'])
      await expect(writer.writeText(name, ''), name).rejects.toThrow(/not the name of a file/)
    const file = await writer.createFile('Model.bin', 10)
    await expect(writer.writeText('model.BIN', '')).rejects.toThrow(/two files would be named/)
    await expect(file.write(5, bytes)).rejects.toThrow(/1000 bytes at 5 do not fit its 10 bytes/)
    await expect(writer.createFile('huge.bin', 2 ** 52)).rejects.toThrow(/not enough space/)
    await writer.discard()
    expect(await readdir(directory)).toEqual([])
  })
})
