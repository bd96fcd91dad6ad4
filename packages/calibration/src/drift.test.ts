import { describeModel } from '@awq/models'
import { createEngine, type Engine, tensor } from '@awq/ort'
import { AwqError } from '@awq/tensor'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openBlockRunner } from './block-runner.ts'
import { openDrift } from './drift.ts'
import { batch, block, wave, wavesFor, weights } from './fixtures/small-block.ts'

const inputs = [0.2, 1.3].map((seed) => batch(1, seed))
const drifted = [0.25, 1.4].map((seed) => batch(1, seed))
const sites = [...new Set(block.linears.map(({ site }) => site))]

let engine: Engine
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
})
afterAll(() => engine.dispose())

/** Of two halves that are as large. */
const mean = ([a, b]: Float32Array[]) => a!.map((value, i) => (value + b![i]!) / 2)

const problem = { block, weights, inputs, quantizedInputs: inputs }

describe('drift', () => {
  test("of nothing is none, and the walk ends at the block's outputs", async () => {
    await using runner = openBlockRunner(engine)
    const { stats, outputs } = await runner.run(block, weights, [...inputs], { observe: true })
    const walk = openDrift(engine, problem)
    for (const site of sites) {
      const { halves, width, targets, residual } = await walk.measure(site, weights)
      const [gram, cross] = [mean(halves.map((half) => half.gram)), mean(halves.map((half) => half.cross))]
      expect(gram.every((value, at) => Math.abs(value - stats.get(site)!.gram[at]!) < 1e-4)).toBe(true)
      const linears = block.linears.filter((linear) => linear.site === site)
      expect(residual).toBe(linears.length === 1)
      // What the float weights make of the input, or the input itself.
      const weight = weights.get(`${linears[0]!.name}.weight`)!
      for (let i = 0; i < width; i++)
        for (let j = 0; j < targets; j++) {
          let expected = residual ? 0 : gram[i * width + j]!
          if (residual) for (let k = 0; k < width; k++) expected += gram[i * width + k]! * weight[j * width + k]!
          expect(Math.abs(cross[i * targets + j]! - expected)).toBeLessThan(1e-3)
        }
    }
    for (const [index, { data }] of (await walk.finish(weights)).entries())
      for (const [at, value] of (data as Float32Array).entries())
        expect(Math.abs(value - (outputs[index]!.data as Float32Array)[at]!)).toBeLessThan(1e-4)
  })
  test('in parallel branches with biases: the last one makes up for the whole stream', async () => {
    const parallel = describeModel({
      ...{ model_type: 'phi', hidden_size: 16, intermediate_size: 24, num_hidden_layers: 1, num_attention_heads: 2 },
      ...{ num_key_value_heads: 2, vocab_size: 8 },
    }).blocks[0]!
    const weights = wavesFor(parallel)
    const walk = openDrift(engine, { block: parallel, weights, inputs, quantizedInputs: drifted })
    const found = []
    for (const site of new Set(parallel.linears.map(({ site }) => site))) {
      const linears = parallel.linears.filter((linear) => linear.site === site)
      const { residual, targets, width } = await walk.measure(site, weights, weights.get(`${linears[0]!.name}.bias`))
      found.push([linears.at(-1)!.name, residual])
      expect(targets).toBe(residual ? 16 : width)
    }
    expect(found).toEqual([
      ['mlp.fc1', false],
      ['self_attn.dense', false],
      ['mlp.fc2', true],
    ])
    const none = openDrift(engine, { block: parallel, weights, inputs, quantizedInputs: inputs })
    const { halves, width, targets } = await none.measure('mlpInner', weights, weights.get('mlp.fc2.bias'))
    const [gram, cross] = [mean(halves.map((half) => half.gram)), mean(halves.map((half) => half.cross))]
    const weight = weights.get('mlp.fc2.weight')!
    for (let i = 0; i < width; i++)
      for (let j = 0; j < targets; j++) {
        let expected = 0
        for (let k = 0; k < width; k++) expected += gram[i * width + k]! * weight[j * width + k]!
        expect(Math.abs(cross[i * targets + j]! - expected)).toBeLessThan(1e-3)
      }
  })
  test('is seen in the inputs and in the linears before the site, and changes no inputs', async () => {
    const site = sites.at(-1)!
    const before = drifted.map(({ data }) => data.slice())
    const none = await openDrift(engine, problem).measure(site, weights)
    const moved = await openDrift(engine, { ...problem, quantizedInputs: drifted }).measure(site, weights)
    const first = `${block.linears[0]!.name}.weight`
    const other = new Map(weights).set(first, wave(weights.get(first)!.length, 9))
    const inside = await openDrift(engine, problem).measure(site, other)
    for (const { halves } of [moved, inside])
      for (const [index, { gram, cross }] of halves.entries()) {
        expect(gram).not.toEqual(none.halves[index]!.gram)
        expect(cross).not.toEqual(none.halves[index]!.cross)
      }
    expect(drifted.map(({ data }) => data)).toEqual(before)
  })
  test('goes on with what was rounded meanwhile, as a walk straight to the site does', async () => {
    const rounded = new Map(weights)
    const stepwise = openDrift(engine, { ...problem, quantizedInputs: drifted })
    for (const site of sites) {
      const at = await stepwise.measure(site, rounded)
      const straight = await openDrift(engine, { ...problem, quantizedInputs: drifted }).measure(site, rounded)
      for (const of of ['gram', 'cross'] as const)
        for (const [index, half] of at.halves.entries())
          for (const [i, value] of half[of].entries())
            expect(Math.abs(value - straight.halves[index]![of][i]!)).toBeLessThan(1e-3)
      for (const { name } of block.linears.filter((linear) => linear.site === site))
        rounded.set(
          `${name}.weight`,
          weights.get(`${name}.weight`)!.map((value) => Math.round(4 * value) / 4),
        )
    }
    await expect(stepwise.measure(sites[0]!, rounded)).rejects.toThrow(/lies behind/)
  })
  test('has one half only for a single batch', async () => {
    const single = { ...problem, inputs: inputs.slice(1), quantizedInputs: drifted.slice(1) }
    expect((await openDrift(engine, single).measure(sites[0]!, weights)).halves).toHaveLength(1)
  })
  test('refuses no inputs, unknown sites and activations that are not finite', async () => {
    expect(() => openDrift(engine, { ...problem, inputs: [] })).toThrow(/no inputs/)
    await expect(openDrift(engine, problem).measure('nowhere', weights)).rejects.toThrow(AwqError)
    const bad = inputs.map(({ shape }) => tensor('float32', shape, new Float32Array(80).fill(Number.NaN)))
    const walk = openDrift(engine, { ...problem, quantizedInputs: bad, name: 'block 3' })
    await expect(walk.measure(sites[0]!, weights)).rejects.toThrow(/block 3/)
  })
})
