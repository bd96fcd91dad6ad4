import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { planStore } from '@awq/quantize'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openWorkspace } from './workspace.node.ts'
import type { Workspace } from './workspace.ts'

let directory: string
let path: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'awq-workspace-'))
  path = join(directory, 'out')
})
afterEach(() => rm(directory, { recursive: true }))

const plan = planStore([{ name: 't', dtype: 'U8', shape: [100] }])

const saveArrays = async (workspace: Workspace, name: string, arrays: readonly Float32Array[]) => {
  await using writer = await workspace.writeArrays(name)
  for (const array of arrays) writer.append(array)
  await writer.finish()
}

/** A workspace with a written store, two files and a journal, not committed. */
const begin = async () => {
  const workspace = await openWorkspace(path)
  const store = await workspace.openStore(plan, { keep: [] })
  await store.write('t', new Uint8Array(100).fill(7))
  await store.finish()
  await workspace.writeJournal(['{"key":{}}', '{"layer":0}'])
  await saveArrays(workspace, 'activations-1', [new Float32Array(3)])
  await workspace.writeFile('config.json', '{}')
  await workspace.writeFile('last.json', '{}')
  return workspace
}
const model = ['config.json', 'last.json', 'model.safetensors']

describe('one writer at a time', () => {
  test('a second one is refused until the first is closed, and nothing is left of an unused folder', async () => {
    const workspace = await openWorkspace(path)
    await expect(openWorkspace(path)).rejects.toThrow(new RegExp(`process ${process.pid} on .* is writing here`))
    await workspace[Symbol.asyncDispose]()
    expect(await readdir(directory)).toEqual([])
    await (await openWorkspace(path))[Symbol.asyncDispose]()
  })

  test('the lock of a process that is gone is taken over, one of another host or of a running process is not', async () => {
    await mkdir(path)
    const lock = join(path, '.awq-lock')
    // Beyond the largest process id of any system.
    await writeFile(lock, `${2 ** 30}\n${hostname()}\n`)
    await (await openWorkspace(path))[Symbol.asyncDispose]()
    expect(await readdir(path)).toEqual([])
    for (const text of [`${2 ** 30}\nanother host\n`, `${process.ppid}\n${hostname()}\n`, '']) {
      await writeFile(lock, text)
      await expect(openWorkspace(path)).rejects.toThrow(/remove .*\.awq-lock/)
      expect(await readFile(lock, 'utf8')).toBe(text)
    }
    // This process's id, but no lock of its own: a restarted container counts its processes anew.
    await writeFile(lock, `${process.pid}\n${hostname()}\n`)
    await (await openWorkspace(path))[Symbol.asyncDispose]()
  })
})

describe('arrays', () => {
  const values = (length: number, from: number) => Float32Array.from({ length }, (_, i) => from + i)

  test('come back in any cut, and the old ones stay until the new ones are whole', async () => {
    await using workspace = await begin()
    await saveArrays(workspace, 'a', [values(5, 0), values(3, 5)])
    const whole = new Float32Array(8)
    {
      await using unfinished = await workspace.writeArrays('a')
      unfinished.append(values(2, 100))
    }
    await workspace.readArrays('a', [whole.subarray(0, 2), whole.subarray(2)])
    expect(whole).toEqual(values(8, 0))
    await saveArrays(workspace, 'a', [values(8, 100)])
    await workspace.readArrays('a', [whole])
    expect(whole).toEqual(values(8, 100))
    await expect(workspace.readArrays('a', [new Float32Array(9)])).rejects.toMatchObject({ code: 'INVALID_FILE' })
  })
})

describe('a commit', () => {
  test('leaves the model alone in the folder', async () => {
    await using workspace = await begin()
    await workspace.commit('last.json')
    expect((await readdir(path)).filter((name) => name !== '.awq-lock').sort()).toEqual(model)
  })

  test.each([0, 1, 2])('cut short after %i files goes back, and can be repeated', async (moved) => {
    await (await begin())[Symbol.asyncDispose]()
    const partial = join(path, '.awq-partial')
    await writeFile(
      join(partial, 'commit.json'),
      JSON.stringify({ from: '', names: ['config.json', 'model.safetensors', 'last.json'] }),
    )
    for (const name of ['config.json', 'model.safetensors'].slice(0, moved))
      await rename(join(partial, name), join(path, name))
    await using workspace = await openWorkspace(path)
    expect(workspace.unfinished).toBe(true)
    expect(await workspace.readJournal()).toEqual(['{"key":{}}', '{"layer":0}'])
    await (await workspace.openStore(plan, { keep: ['t'] })).close()
    await workspace.commit('last.json')
    expect((await readdir(path)).filter((name) => name !== '.awq-lock').sort()).toEqual(model)
  })

  test('that only had to remove its work is finished', async () => {
    await (await begin())[Symbol.asyncDispose]()
    const partial = join(path, '.awq-partial')
    await writeFile(join(partial, 'commit.json'), JSON.stringify({ from: '', names: model }))
    for (const name of model) await rename(join(partial, name), join(path, name))
    await writeFile(
      join(partial, 'commit.json'),
      JSON.stringify({ from: '', names: ['config.json', 'model.safetensors', 'last.json'] }),
    )
    await expect(openWorkspace(path)).rejects.toThrow(/is not empty/)
    expect((await readdir(path)).sort()).toEqual(model)
  })

  test('record that names files elsewhere moves nothing', async () => {
    await (await begin())[Symbol.asyncDispose]()
    await writeFile(join(directory, 'mine'), '')
    await writeFile(
      join(path, '.awq-partial', 'commit.json'),
      JSON.stringify({ from: '', names: ['../mine', 'last.json'] }),
    )
    await (await openWorkspace(path))[Symbol.asyncDispose]()
    expect(await readdir(directory)).toContain('mine')
  })
})
