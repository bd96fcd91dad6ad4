import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describeModel, floatForward, forwardLogits, type ModelDescription } from '@awq/models'
import { createEngine, type Engine } from '@awq/ort'
import { openStore, type QuantSpec, readMatrix } from '@awq/quantize'
import { openModel } from '@awq/runtime'
import { dequantize, openCheckpoint } from '@awq/tensor'
import { openFolder } from '@awq/tensor/node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type BitsPlan, checkPlan, quantize } from './index.ts'
import { commonSpec, specsOfLayer, uniformPlan } from './plan.ts'

const model = fileURLToPath(new URL('../../../examples/models/stories260k', import.meta.url))
const four: QuantSpec = { bits: 4, groupSize: 32, symmetric: false }
const eight: QuantSpec = { bits: 8, groupSize: 128, symmetric: true }

let engine: Engine
let scratch: string
let description: ModelDescription
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
  scratch = await mkdtemp(join(tmpdir(), 'awq-plan-'))
  description = describeModel(JSON.parse(await (await openFolder(model)).readText('config.json')))
})
afterAll(async () => {
  await engine.dispose()
  await rm(scratch, { recursive: true, force: true })
})

/** Every site of every layer has another spec. */
const mixedPlan = (): BitsPlan => {
  const specs: QuantSpec[] = [
    { bits: 2, groupSize: 16, symmetric: false },
    { bits: 8, groupSize: 128, symmetric: true },
    { bits: 4, groupSize: -1, symmetric: false },
    { bits: 3, groupSize: 32, symmetric: true },
    { bits: 4, groupSize: 256, symmetric: true },
    { bits: 2, groupSize: -1, symmetric: true },
    { bits: 3, groupSize: 64, symmetric: false },
  ]
  const block = description.blocks[0]!
  const sites = [...new Set(block.linears.map(({ site }) => site))]
  const linears: Record<string, QuantSpec> = {}
  for (let layer = 0; layer < description.config.layers; layer++)
    for (const { name, site } of block.linears)
      linears[description.parameter(layer, `${name}.weight`)] =
        specs[(layer * sites.length + sites.indexOf(site)) % specs.length]!
  return { linears, embedding: { bits: 4, groupSize: 16, symmetric: false }, head: eight }
}

describe('a plan with other bits for every site', () => {
  test.each(['rtn', 'awq', 'awq-gptq', 'gptq'])('is stored and runs: %s', async (method) => {
    const plan = mixedPlan()
    const output = join(scratch, method)
    await quantize({ engine, model, output, method, plan, calibration: ['Once upon a time. '.repeat(200)], samples: 4 })
    const folder = await openFolder(output)
    const store = await openStore(folder)
    for (const [name, spec] of Object.entries(plan.linears)) expect(store.manifest.matrices[name]).toMatchObject(spec)
    // The oracle: the float forward pass over what the store's integers stand for.
    await using checkpoint = await openCheckpoint(await openFolder(model))
    const tensors = new Map(checkpoint.tensors)
    const replace = (name: string, values: Float32Array, shape: readonly number[]) => {
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
      const entry = checkpoint.tensors.get(name) ?? checkpoint.tensors.get(description.embedding)!
      const rowBytes = bytes.length / shape[0]!
      const read: typeof entry.read = async ({ rows: [start, end] = [0, shape[0]!] } = {}) =>
        bytes.slice(start * rowBytes, end * rowBytes)
      tensors.set(name, { ...entry, name, shape, dtype: 'F32', length: bytes.length, read })
    }
    for (const [name, { shape }] of store.matrices) replace(name, dequantize(await readMatrix(store, name)), shape)
    for (const [name, entry] of store.dense) {
      const bytes = await entry.read()
      replace(name, new Float32Array(bytes.slice().buffer), entry.shape)
    }
    await store.close()
    const untied = describeModel(JSON.parse(await folder.readText('config.json')))
    const ids = Int32Array.from({ length: 24 }, (_, i) => (i * 37) % untied.config.vocabSize)
    await using oracle = floatForward(engine, { ...checkpoint, tensors }, untied)
    const expected = (await forwardLogits(oracle, ids, { all: true })).data as Float32Array
    await using opened = await openModel(folder, engine, { accuracy: 'exact' })
    await using forward = opened.forward()
    const actual = (await forwardLogits(forward, ids, { all: true })).data as Float32Array
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1)
    const worst = actual.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0)
    expect(worst).toBeLessThan(2e-4 * largest)
  })
})

describe('a plan', () => {
  const uniform = () => uniformPlan(description, four, { embedding: eight, head: eight })

  test('that is uniform has one spec everywhere', () => {
    expect(Object.keys(uniform().linears)).toHaveLength(35)
    for (let layer = 0; layer < 5; layer++)
      expect([...specsOfLayer(description, uniform(), layer).values()]).toEqual(Array(7).fill(four))
    expect(commonSpec(description, uniform())).toEqual(four)
  })

  test('names the spec of most weights', () => {
    const plan = uniform()
    const linears = { ...plan.linears, 'model.layers.0.mlp.down_proj.weight': eight }
    expect(commonSpec(description, { ...plan, linears })).toEqual(four)
  })

  test('is refused with what can not be stored, naming the matrix', () => {
    const plan = uniform()
    const withLinear = (name: string, spec: QuantSpec) => ({ ...plan, linears: { ...plan.linears, [name]: spec } })
    const check = (changed: BitsPlan) => () => checkPlan(description, changed)
    expect(check(withLinear('model.layers.1.self_attn.k_proj.weight', eight))).toThrow(
      /layers\.1\.self_attn\.k_proj\.weight and model\.layers\.1\.self_attn\.q_proj\.weight read the same input/,
    )
    expect(check(withLinear('model.layers.1.mlp.down_proj.weight', { ...four, groupSize: 48 }))).toThrow(
      /layers\.1\.mlp\.down_proj\.weight: the group size/,
    )
    expect(check(withLinear('model.layers.9.mlp.down_proj.weight', four))).toThrow(/layers\.9.*is no linear/)
    const { 'model.layers.2.mlp.up_proj.weight': _, ...rest } = plan.linears
    expect(check({ ...plan, linears: rest })).toThrow(/no bits for model\.layers\.2\.mlp\.up_proj\.weight/)
    expect(check({ ...plan, head: { ...four, bits: 2 } })).toThrow(/head: tables/)
  })
})

test('an interrupted run is not continued with another plan', async () => {
  const controller = new AbortController()
  const output = join(scratch, 'resumed')
  const plan = mixedPlan()
  const common = { engine, model, output, method: 'rtn' }
  await expect(
    quantize({
      ...common,
      plan,
      signal: controller.signal,
      onProgress: (event) => event.type === 'layer' && event.layer === 1 && controller.abort(new Error('stop here')),
    }),
  ).rejects.toThrow('stop here')
  const name = 'model.layers.4.mlp.down_proj.weight'
  const other = { ...plan, linears: { ...plan.linears, [name]: four } }
  await expect(quantize({ ...common, plan: other, resume: true })).rejects.toThrow(/another plan/)
  expect((await quantize({ ...common, plan, resume: true })).resumedLayers).toBe(2)
})
