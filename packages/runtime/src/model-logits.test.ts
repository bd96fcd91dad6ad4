import { describeModel } from '@awq/models'
import { createEngine } from '@awq/ort'
import { type Folder, memoryFolder } from '@awq/tensor'
import { beforeAll, describe, expect, it } from 'vitest'
import { floatFiles, packModel, randomParameters, tinyConfig } from './fixtures/tiny-model.ts'
import { modelLogits } from './model-logits.ts'

const engine = await createEngine({ threads: 1 })
const ids = [3, 96, 0, 41, 41, 7]
/** A quantized store, and the float checkpoint of the same values; no tokenizer in either. */
let packed: Folder
let float: Folder
beforeAll(async () => {
  const model = await packModel(tinyConfig(), (name) => ({
    bits: name.includes('embed') ? 8 : 4,
    groupSize: 32,
    symmetric: false,
  }))
  packed = memoryFolder(model.files)
  float = model.dequantized
})

const difference = (actual: Float32Array, expected: Float32Array): number => {
  expect(actual).toHaveLength(expected.length)
  return actual.reduce((most, x, i) => Math.max(most, Math.abs(x - expected[i]!)), 0)
}

describe('modelLogits', () => {
  it('gives a row per id or the last one, float and quantized alike', async () => {
    const expected = await modelLogits(float, ids, { engine, all: true })
    const all = await modelLogits(packed, ids, { engine, all: true })
    expect(all.map((row) => row.length)).toEqual(ids.map(() => 97))
    for (const [i, row] of all.entries()) expect(difference(row, expected[i]!)).toBeLessThan(2e-4)
    expect(difference(all[0]!, all[5]!)).toBeGreaterThan(0.01)
    for (const [folder, rows] of [
      [float, expected],
      [packed, all],
    ] as const) {
      const last = await modelLogits(folder, ids, { engine })
      expect(last).toHaveLength(1)
      expect(difference(last[0]!, rows[5]!)).toBeLessThan(1e-5)
      const first = await modelLogits(folder, ids.slice(0, 1), { engine })
      expect(difference(first[0]!, rows[0]!)).toBeLessThan(1e-5)
    }
  })

  it('computes exactly unless told otherwise', async () => {
    const [standard] = await modelLogits(packed, ids, { engine })
    const [exact] = await modelLogits(packed, ids, { engine, accuracy: 'exact' })
    const [fast] = await modelLogits(packed, ids, { engine, accuracy: 'fast' })
    expect(difference(standard!, exact!)).toBe(0)
    expect(difference(standard!, fast!)).toBeGreaterThan(1e-4)
  })

  it('makes an engine where none is given, and leaves a given one open', async () => {
    const [own] = await modelLogits(packed, ids, { threads: 1 })
    const [given] = await modelLogits(packed, ids, { engine })
    expect(difference(own!, given!)).toBeLessThan(1e-5)
    await expect(modelLogits(memoryFolder({}), ids, { engine })).rejects.toThrow(/config\.json/)
    expect(await modelLogits(packed, ids, { engine })).toEqual([given])
  })

  it.each([
    [[], /at least one/],
    [[1, 97], /97 is outside/],
    [[-1], /-1 is outside/],
    [[1.5], /1\.5 is outside/],
    [[2 ** 32], /4294967296 is outside/],
    [Array.from({ length: 601 }, () => 1), /601 tokens.*600/],
  ])('refuses %j', async (wrong, message) => {
    await expect(modelLogits(packed, wrong, { engine })).rejects.toThrow(message)
  })

  it('stops at an abort', async () => {
    const reason = new Error('enough')
    await expect(modelLogits(packed, ids, { engine, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const parameters = randomParameters(describeModel(tinyConfig()))
    const slow = memoryFolder(await floatFiles(tinyConfig(), parameters))
    const controller = new AbortController()
    const folder: Folder = {
      ...slow,
      open: async (file) => {
        controller.abort(reason)
        return slow.open(file)
      },
    }
    await expect(modelLogits(folder, ids, { engine, signal: controller.signal })).rejects.toBe(reason)
  })
})
