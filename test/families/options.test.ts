/**
 * No option of config.json is ignored: with each changed that changes transformers' logits, ours are those or refused.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createEngine } from '@awq/ort'
import { modelLogits } from '@awq/runtime'
import { AwqError, type Folder } from '@awq/tensor'
import { openFolder } from '@awq/tensor/node'
import { afterAll, describe, expect, test } from 'vitest'
import { distance, goldenOf, readyCheckpoints } from './checkpoints.ts'

const engine = await createEngine({ threads: 1 })
afterAll(() => engine.dispose())

/** Fields of config.json, and the first logits after the last id that transformers computes with them. */
interface ChangedOption {
  readonly set: Readonly<Record<string, unknown>>
  readonly logits: readonly number[]
}

const optionsOf = (path: string): ChangedOption[] => {
  const file = join(path, 'options.json')
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : []
}

const withConfig = (folder: Folder, config: object): Folder => ({
  ...folder,
  readText: async (file, options) =>
    file === 'config.json' ? JSON.stringify(config) : await folder.readText(file, options),
})

const checkpoints = readyCheckpoints.map((one) => ({ ...one, options: optionsOf(one.path) }))

describe.each(checkpoints.filter(({ options }) => options.length > 0))('$name', (checkpoint) => {
  const { ids } = goldenOf(checkpoint).at(-1)!
  const cases = checkpoint.options.map((option) => ({ ...option, name: JSON.stringify(option.set).slice(0, 100) }))

  test.each(cases)('$name', async ({ set, logits }) => {
    const folder = withConfig(await openFolder(checkpoint.path), { ...checkpoint.config, ...set })
    const outcome = await modelLogits(folder, ids, { engine }).catch((error: unknown) => error)
    if (outcome instanceof Error) expect(outcome).toBeInstanceOf(AwqError)
    else expect(distance([(outcome as Float32Array[])[0]!.slice(0, logits.length)], [logits])).toBeLessThan(1e-4)
  })
})
