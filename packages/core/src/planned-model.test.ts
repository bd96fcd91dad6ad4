import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bitsPerWeight, describedParameters, openPortable, type PortableModel, writableFormat } from '@awq/formats'
import type { Provenance, QuantSpec } from '@awq/quantize'
import { openFolder } from '@awq/tensor/node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { withTokenizer } from './fixtures/scaled-logits.ts'
import { quantize } from './index.ts'
import { uniformPlan } from './plan.ts'
import { NOT_QUANTIZED_YET, plannedModel } from './planned-model.ts'
import { openSource } from './source-model.ts'
import { EIGHT_BITS, planTables } from './tables.ts'

const fixture = (name: string) => fileURLToPath(new URL(`../../../test/fixtures/models/${name}`, import.meta.url))
const spec = { bits: 4, groupSize: 16, symmetric: false } as const
const provenance: Provenance = { method: 'rtn', folded: [], calibration: null, source: { name: 'tiny' } }

let scratch: string
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'awq-planned-'))
})
afterAll(() => rm(scratch, { recursive: true, force: true }))

const planned = async (name: string, head: QuantSpec | null, scaleVectors = false): Promise<PortableModel> => {
  const model = await openSource(withTokenizer(await openFolder(fixture(name))), {})
  const plan = uniformPlan(model.description, spec, { embedding: EIGHT_BITS, head })
  const tables = planTables(model.checkpoint, model.description, plan)
  return await plannedModel({ model, plan, tables, vision: [], salient: 0, scaleVectors }, provenance)
}

/** Names, specs and shapes: what formats are asked by. */
const formsOf = (model: PortableModel) =>
  describedParameters(model).map(({ spec: { name }, parameter }) =>
    parameter.kind === 'quantized'
      ? [name, parameter.spec, parameter.shape, parameter.denseColumns]
      : [name, parameter.entry.dtype, parameter.entry.shape],
  )

test.each(['llama', 'gpt2', 'mixtral', 'phi3'])('%s has the forms that the finished model has', async (name) => {
  const output = join(scratch, name)
  await quantize({
    model: withTokenizer(await openFolder(fixture(name))),
    output,
    method: 'rtn',
    ...spec,
    threads: 1,
  })
  await using made = await openPortable(await openFolder(output))
  const model = await planned(name, EIGHT_BITS, true)
  expect(formsOf(model)).toEqual(formsOf(made))
  expect(bitsPerWeight(model)).toBe(bitsPerWeight(made))
  expect(model.config).toEqual(made.config)
  for (const format of ['autoawq', 'gptq-v2', 'compressed-tensors', 'genai', 'transformersjs'])
    expect(await writableFormat(format).problems(model), format).toEqual(await writableFormat(format).problems(made))
})

test('a tied head with a spec of its own is no longer tied', async () => {
  const together = await planned('gemma', EIGHT_BITS)
  const apart = await planned('gemma', null)
  expect(together.description.config.tiedEmbeddings).toBe(true)
  expect(apart.config.tie_word_embeddings).toBe(false)
  expect(apart.parameters.get('lm_head.weight')?.kind).toBe('float')
  expect(apart.parameters.get('model.embed_tokens.weight')?.kind).toBe('quantized')
})

test('vectors of scales are there where they may be made, and are not ones', async () => {
  const [without, vectors] = [await planned('gpt2', EIGHT_BITS), await planned('gpt2', EIGHT_BITS, true)]
  const added = [...vectors.parameters].filter(([name]) => !without.parameters.has(name))
  expect(added.length).toBe(without.description.config.layers)
  for (const [, found] of added) {
    if (found.kind !== 'float') expect.unreachable('it is a vector')
    else expect(new Set(new Float32Array((await found.entry.read()).slice().buffer))).toEqual(new Set([2]))
  }
})

test('its matrices cannot be read', async () => {
  const model = await planned('llama', EIGHT_BITS)
  const found = model.parameters.get('model.layers.0.mlp.up_proj.weight')!
  await expect(found.kind === 'quantized' ? found.read() : undefined).rejects.toBe(NOT_QUANTIZED_YET)
})
