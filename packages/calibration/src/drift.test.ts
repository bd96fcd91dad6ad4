import { createEngine, type Engine, tensor } from '@awq/ort'
import { AwqError } from '@awq/tensor'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openBlockRunner } from './block-runner.ts'
import { measureDrift } from './drift.ts'
import { batch, description, wave, weights } from './fixtures/small-block.ts'

const inputs = [0.2, 1.3].map((seed) => batch(1, seed))
const drifted = [0.25, 1.4].map((seed) => batch(1, seed))
const sites = [...new Set(description.linears.map(({ site }) => site))]

let engine: Engine
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
})
afterAll(() => engine.dispose())

describe('drift', () => {
  test.each(sites)('of nothing is none: %s', async (site) => {
    const problem = { description, site, weights, quantized: weights, inputs, quantizedInputs: inputs }
    const { gram, cross, width, targets, residual } = await measureDrift(engine, problem)
    await using runner = openBlockRunner(engine, description)
    const { stats } = await runner.run(weights, [...inputs], { observe: true })
    expect(gram.every((value, at) => Math.abs(value - stats.get(site)!.gram[at]!) < 1e-4)).toBe(true)
    const linears = description.linears.filter((linear) => linear.site === site)
    expect(residual).toBe(linears.length === 1)
    // What the float weights make of the input, or the input itself.
    const weight = weights.get(`${linears[0]!.name}.weight`)!
    for (let i = 0; i < width; i++)
      for (let j = 0; j < targets; j++) {
        let expected = residual ? 0 : gram[i * width + j]!
        if (residual) for (let k = 0; k < width; k++) expected += gram[i * width + k]! * weight[j * width + k]!
        expect(Math.abs(cross[i * targets + j]! - expected)).toBeLessThan(1e-3)
      }
  })
  test('is seen in the inputs and in the linears before the site', async () => {
    const site = sites.at(-1)!
    const same = { description, site, weights, quantized: weights, inputs, quantizedInputs: inputs }
    const none = await measureDrift(engine, same)
    const moved = await measureDrift(engine, { ...same, quantizedInputs: drifted })
    const first = `${description.linears[0]!.name}.weight`
    const other = new Map(weights).set(first, wave(weights.get(first)!.length, 9))
    const inside = await measureDrift(engine, { ...same, quantized: other })
    for (const { gram, cross } of [moved, inside]) {
      expect(gram).not.toEqual(none.gram)
      expect(cross).not.toEqual(none.cross)
    }
  })
  test('refuses no inputs, unknown sites and activations that are not finite', async () => {
    const problem = { description, site: sites[0]!, weights, quantized: weights, inputs, quantizedInputs: inputs }
    await expect(measureDrift(engine, { ...problem, inputs: [] })).rejects.toThrow(/no inputs/)
    await expect(measureDrift(engine, { ...problem, site: 'nowhere' })).rejects.toThrow(AwqError)
    const bad = inputs.map(({ shape }) => tensor('float32', shape, new Float32Array(80).fill(Number.NaN)))
    await expect(measureDrift(engine, { ...problem, quantizedInputs: bad, name: 'block 3' })).rejects.toThrow(/block 3/)
  })
})
