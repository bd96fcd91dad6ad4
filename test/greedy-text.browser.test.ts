/** Greedy text in Chromium is Node's, on WebAssembly and on WebGPU. */
import { createEngine, type Device, type Engine } from '@awq/ort'
import { loadModel } from '@awq/runtime/browser'
import { urlFolder } from '@awq/tensor/browser'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import goldens from './fixtures/greedy-text.json'
import { type GreedyText, greedyCases, writeGreedily } from './greedy-text.ts'

const expected: Readonly<Record<string, GreedyText>> = goldens
const families = Object.keys(expected).flatMap((folder) => /^test\/fixtures\/models\/(.+)$/.exec(folder)?.[1] ?? [])

/**
 * On WebGPU one or two of each kind of kernel, because its shaders take a software GPU seconds to compile. `VITE_ALL_FAMILIES=1`
 * has all of them.
 */
const kinds: Readonly<Record<string, readonly string[]>> = {
  'rotary halves, grouped heads, tied head': ['llama', 'llama-tied-bias-llama3'],
  'rotary scaled by position': ['llama-yarn', 'phi3-longrope'],
  'a part of the head turned': ['phi', 'stablelm-bias'],
  'positions of its own': ['gpt2', 'opt-projected'],
  'linear biases': ['bloom', 'mpt'],
  windows: ['mistral', 'qwen2-window'],
  'soft caps, norms around': ['gemma2', 'gemma3'],
  'interleaved rotation, layer norms': ['cohere2'],
  'norms of heads': ['olmo2', 'qwen3'],
  'one key head, parallel branches': ['falcon', 'falcon-alibi', 'gpt-neox'],
  'latent attention': ['deepseek-v2', 'deepseek-v3'],
  experts: ['mixtral', 'qwen2-moe', 'gpt-oss-mxfp4'],
  'sinks, dealt halves': ['gpt-oss'],
  'weights in 8 bits': ['llama-fp8-blocks'],
  'positions of three parts': ['qwen2.5-vl'],
}
const { VITE_ALL_FAMILIES } = (import.meta as unknown as { readonly env: Readonly<Record<string, string>> }).env
const few = VITE_ALL_FAMILIES ? families : Object.values(kinds).flat()

/** Biases that are rounded to bfloat16, which WebGPU has not. */
const onCpu = ['falcon-alibi']

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
    const fallback = device === 'webgpu' && onCpu.some((name) => given.folder.endsWith(`/${name}`))
    expect(warnings).toEqual(fallback ? [expect.stringContaining('has no bfloat16')] : [])
    expect(model.opened.engine.device).toBe(fallback ? 'cpu' : device)
    expect(await writeGreedily(model, given)).toEqual(expected[given.folder])
  })
})
