import { expect, test } from 'vitest'
import { measurementsIn, readJournal } from './journal.ts'
import type { Sensitivities } from './sensitivity.ts'
import type { Workspace } from './workspace.ts'

/** A workspace of which only the journal is there. */
const journalOf = (lines: readonly string[] = []): Workspace => {
  let kept = [...lines]
  const journal: Pick<Workspace, 'name' | 'readJournal' | 'writeJournal'> = {
    name: 'out',
    readJournal: async () => kept,
    writeJournal: async (written) => {
      kept = [...written]
    },
  }
  return journal as Workspace
}

const measured: Sensitivities = {
  sites: [{ layer: 0, site: 'mlpInput', linears: ['mlp.up_proj'], losses: [0.1 + 0.2, 1e-300] }],
  embedding: [0],
  head: [1 / 3],
  streamBytes: 4096,
}

test('what was measured is there for the same key, when it is resumed', async () => {
  const workspace = journalOf()
  await measurementsIn(workspace, false).write({ method: 'rtn' }, measured)
  expect(await measurementsIn(workspace, true).read({ method: 'rtn' })).toEqual(measured)
  expect(await measurementsIn(workspace, true).read({ method: 'awq' })).toBeUndefined()
  expect(await measurementsIn(workspace, false).read({ method: 'rtn' })).toBeUndefined()
  expect(await readJournal(workspace, { method: 'rtn' })).toEqual([])
})

test('measurements do not take the place of blocks that an interrupted run has quantized, unless it is started over', async () => {
  const begun = [JSON.stringify({ key: { method: 'rtn' } }), JSON.stringify({ layer: 0, folded: [] })]
  const workspace = journalOf(begun)
  await measurementsIn(workspace, true).write({ method: 'awq' }, measured)
  expect(await workspace.readJournal()).toEqual(begun)
  await expect(readJournal(workspace, { method: 'awq' })).rejects.toThrow(/had another method/)
  await measurementsIn(workspace, false).write({ method: 'awq' }, measured)
  expect(await measurementsIn(workspace, true).read({ method: 'awq' })).toEqual(measured)
})
