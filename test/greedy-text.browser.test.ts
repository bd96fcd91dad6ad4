/** Greedy text in Chromium is Node's, on WebAssembly and on WebGPU. */
import { createEngine, type Device, type Engine } from '@awq/ort'
import { loadModel } from '@awq/runtime/browser'
import { urlFolder } from '@awq/tensor/browser'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import goldens from './fixtures/greedy-text.json'
import { type GreedyText, greedyCases, writeGreedily } from './greedy-text.ts'

const expected: Readonly<Record<string, GreedyText>> = goldens
const families = Object.keys(expected).flatMap((folder) => /^test\/fixtures\/models\/(.+)$/.exec(folder)?.[1] ?? [])

/** On WebGPU, whose shaders take the software GPU seconds to compile, one of each kind of block. */
const few = ['llama', 'gpt2', 'gemma2', 'bloom', 'mixtral', 'gpt-oss', 'phi', 'olmo2', 'deepseek-v2']

describe.each<[Device, readonly string[]]>([
  ['cpu', families],
  ['webgpu', few],
])('on %s', (device, names) => {
  let engine: Engine
  beforeAll(async () => {
    engine = await createEngine({ device })
  })
  afterAll(() => engine.dispose())

  test.each(greedyCases(names))('$folder', async (given) => {
    const warnings: string[] = []
    const onWarning = (message: string) => warnings.push(message)
    const folder = urlFolder(`/${given.folder}`)
    await using model = await loadModel(folder, { engine, accuracy: 'exact', onWarning })
    expect(warnings).toEqual([])
    expect(await writeGreedily(model, given)).toEqual(expected[given.folder])
  })
})
