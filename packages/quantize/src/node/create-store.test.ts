import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openCheckpoint } from '@awq/tensor'
import { openFolder } from '@awq/tensor/node'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { planStore } from '../store/plan.ts'
import { createStore } from './create-store.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'awq-store-'))
})
afterEach(() => rm(directory, { recursive: true }))

const entries = Array.from({ length: 6 }, (_, i) => ({ name: `t${i}`, dtype: 'U8' as const, shape: [500 + i] }))
const plan = planStore(entries, { maxFileBytes: 2500 })
const bytesOf = (i: number) => new Uint8Array(500 + i).fill(i + 1)

describe('createStore', () => {
  test('writes files that read back, in any order', async () => {
    const target = join(directory, 'made', 'here')
    const writer = await createStore(target, plan)
    for (const i of [3, 0, 5, 1, 4, 2]) await writer.write(`t${i}`, bytesOf(i))
    await writer.finish()
    expect((await readdir(target)).length).toBe(plan.files.length + 1)
    await using checkpoint = await openCheckpoint(await openFolder(target))
    for (let i = 0; i < 6; i++) expect(await checkpoint.tensors.get(`t${i}`)?.read()).toEqual(bytesOf(i))
  })

  test('goes on with the files of an interrupted run', async () => {
    const first = await createStore(directory, plan)
    for (const i of [0, 1, 2]) await first.write(`t${i}`, bytesOf(i))
    await first.flush()
    await first.close()
    await first.close()
    const second = await createStore(directory, plan, { keep: ['t0', 't1'] })
    expect(second.unwritten().sort()).toEqual(['t2', 't3', 't4', 't5'])
    for (const i of [2, 3, 4, 5]) await second.write(`t${i}`, bytesOf(i))
    await second.finish()
    await using checkpoint = await openCheckpoint(await openFolder(directory))
    for (let i = 0; i < 6; i++) expect(await checkpoint.tensors.get(`t${i}`)?.read()).toEqual(bytesOf(i))
  })

  test('begins anew unless told to keep', async () => {
    const first = await createStore(directory, plan)
    await first.write('t0', bytesOf(0))
    await first.close()
    const second = await createStore(directory, plan)
    await second.close()
    const { file, offset } = plan.tensors.get('t0') as { file: string; offset: number }
    expect((await readFile(join(directory, file)))[offset]).toBe(0)
  })

  test('does not keep files of another plan, or cut ones', async () => {
    await (await createStore(directory, plan)).close()
    const other = planStore(
      entries.map((entry) => ({ ...entry, name: `u${entry.name}` })),
      { maxFileBytes: 2500 },
    )
    await expect(createStore(directory, other, { keep: true })).rejects.toThrow(/another model/)
    await truncate(join(directory, plan.files[0]?.name as string), 100)
    await expect(createStore(directory, plan, { keep: true })).rejects.toThrow(/another model/)
    await rm(join(directory, plan.files[0]?.name as string))
    await expect(createStore(directory, plan, { keep: true })).rejects.toThrow(/cannot be written/)
  })

  test('says how much is needed and free before it writes to a full disk', async () => {
    const huge = planStore([{ name: 'a', dtype: 'U8', shape: [2 ** 50] }], { maxFileBytes: 2 ** 52 })
    await expect(createStore(directory, huge)).rejects.toThrow(/1024\.0 TiB are needed, .* are free/)
    expect(await readdir(directory)).toEqual([])
  })

  test('refuses a folder that is a file', async () => {
    const path = join(directory, 'file')
    await writeFile(path, '')
    await expect(createStore(path, plan)).rejects.toThrow(/file cannot be written/)
  })
})
