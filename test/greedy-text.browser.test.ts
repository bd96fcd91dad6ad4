/** Greedy text in Chromium is Node's, on WebAssembly and on WebGPU. */
import { createEngine, type Device, type Engine } from '@awq/ort'
import { loadModel } from '@awq/runtime/browser'
import { urlFolder } from '@awq/tensor/browser'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import goldens from './fixtures/greedy-text.json'
import { type GreedyText, greedyCases, writeGreedily } from './greedy-text.ts'

const expected: Readonly<Record<string, GreedyText>> = goldens
const families = Object.keys(expected).flatMap((folder) => /^test\/fixtures\/models\/(.+)$/.exec(folder)?.[1] ?? [])

describe.each<Device>(['cpu', 'webgpu'])('on %s', (device) => {
  let engine: Engine
  beforeAll(async () => {
    engine = await createEngine({ device })
  })
  afterAll(() => engine.dispose())

  test.each(greedyCases(families))('$folder', async (given) => {
    const warnings: string[] = []
    const onWarning = (message: string) => warnings.push(message)
    const folder = urlFolder(`/${given.folder}`)
    await using model = await loadModel(folder, { engine, accuracy: 'exact', onWarning })
    expect(warnings).toEqual([])
    expect(await writeGreedily(model, given)).toEqual(expected[given.folder])
  })
})
