/** FEATURES.md says of this project only what test/families proves. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { families } from '../packages/models/src/families/index.ts'
import { committedCheckpoints } from './families/checkpoints.ts'
import { waiting } from './families/waiting.ts'

const text = readFileSync(new URL('../FEATURES.md', import.meta.url), 'utf8')
const rows = text
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .filter(([, , modelType]) => /^`\w+`$/.test(modelType ?? ''))
  .map(([, models, modelType, here, proven, ...peers]) => ({
    models: models!,
    modelType: modelType!.slice(1, -1),
    here,
    proven: proven === '-' ? [] : proven!.split(', '),
    peers: peers.slice(0, -1),
  }))

test('has one row for each family that there are checkpoints of', () => {
  const families = new Set(committedCheckpoints.map(({ modelType }) => modelType))
  expect(rows.map(({ modelType }) => modelType).sort()).toEqual([...families].sort())
})

test('has a row for each model type that is registered', () => {
  const named = rows.map(({ modelType }) => modelType)
  for (const { modelTypes } of families) for (const modelType of modelTypes) expect(named).toContain(modelType)
})

describe.each(rows)('$models', ({ modelType, here, proven, peers }) => {
  test('is marked here when its checkpoints are proven, and names them', () => {
    const ready = committedCheckpoints.filter(({ name }) => !(name in waiting || modelType in waiting))
    const names = ready.filter((checkpoint) => checkpoint.modelType === modelType).map(({ name }) => name)
    expect(proven).toEqual(names)
    expect(here).toBe(names.length > 0 ? 'awq' : '-')
  })

  test('has a known mark for each of the five programs', () => {
    expect(peers).toHaveLength(5)
    for (const mark of peers) expect(mark).toMatch(/^(awq|runs|-)$/)
  })
})
