import { type ActivationStats, collectStats, scaleStats } from '@awq/calibration'
import { blockFeeds, describeModel, emitForwardBlock, forwardFeeds, inputBinding } from '@awq/models'
import { createEngine, type Engine, tensor } from '@awq/ort'
import { AUTOAWQ_CLIP_RATIOS, alphaStrategy, DUO_RATIOS, duoStrategy, searchClip } from '@awq/search'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { blockObjective } from '../packages/core/src/block-objective.ts'
import type { BlockState } from '../packages/core/src/block-state.ts'
import { applyScale, scalePass } from '../packages/core/src/scale-pass.ts'
import { activations, noise } from '../packages/search/src/fixtures/data.ts'
import golden from './fixtures/autoawq.json' with { type: 'json' }

/** As in tools/fixtures/search/autoawq.py. */
const [hidden, inner, heads, batch, length] = [64, 128, 4, 2, 600]
const description = describeModel({
  model_type: 'llama',
  architectures: ['LlamaForCausalLM'],
  hidden_size: hidden,
  intermediate_size: inner,
  num_attention_heads: heads,
  num_key_value_heads: heads,
  num_hidden_layers: 1,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  vocab_size: 32,
  max_position_embeddings: 1024,
  hidden_act: 'silu',
})
const structure = description.blocks[0]!
/** The order of the layer's parameters in transformers. */
const parameters = [
  ...['q', 'k', 'v', 'o'].map((name) => `self_attn.${name}_proj.weight`),
  ...['gate', 'up', 'down'].map((name) => `mlp.${name}_proj.weight`),
  'input_layernorm.weight',
  'post_attention_layernorm.weight',
]
const spec = { bits: 4, groupSize: 32, symmetric: false } as const
const rule = { includeZero: false, scales: 'float32' } as const

let engine: Engine
const sites = new Map<string, Float32Array>()
const stats = new Map<string, ActivationStats>()
const weights = new Map<string, Float32Array>()
const inputs = Array.from({ length: batch }, (_, index) => {
  const all = activations(batch * length, hidden, 8000)
  return tensor('float32', [1, length, hidden], all.slice(index * length * hidden, (index + 1) * length * hidden))
})
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
  parameters.forEach((name, index) => {
    const { shape } = structure.parameters.find((parameter) => parameter.name === name)!
    const values = noise(
      shape.reduce((a, b) => a * b),
      7000 + index,
    )
    const made = values.map((value) => (name.includes('norm') ? 1 + 0.5 * value : 0.1 * value))
    weights.set(name, Float32Array.from(made))
  })
  const graph = emitForwardBlock(structure, inputBinding(), {
    observe: (own, site, value) => own.output(`site.${site}`, own.add('Identity', [value])),
  })
  await using session = await engine.createSession(graph.toBytes())
  const feeds = { ...blockFeeds(structure, weights), ...forwardFeeds(structure)(inputs[0]!) }
  const runs = []
  for (const sequence of inputs) runs.push(await session.run({ ...feeds, hidden: sequence }))
  for (const { site, shape } of structure.linears) {
    const parts = runs.map((run) => run[`site.${site}`]!.data as Float32Array)
    const values = new Float32Array(batch * length * shape[1])
    parts.forEach((part, index) => {
      values.set(part, index * part.length)
    })
    sites.set(site, values)
    stats.set(site, await collectStats(engine, values, shape[1]))
  }
})
afterAll(() => engine.dispose())

const block = (): BlockState => ({
  layer: 0,
  engine,
  description,
  structure,
  linears: structure.linears,
  scaleGroups: structure.scaleGroups,
  weights: new Map(weights),
  stats: new Map(stats),
  inputs,
  quantizedInputs: [],
  specs: new Map(structure.linears.map(({ name }) => [name, spec])),
  salient: new Map(),
  ranges: new Map(),
  quantized: new Map(),
  folded: [],
  time: (_, work) => work(),
  signal: undefined,
})

/** The scale that a pass folded, by what it did to a consumer's columns. */
const foldedScale = (after: BlockState, consumer: string, width: number): Float32Array => {
  const [before, now] = [weights.get(`${consumer}.weight`)!, after.weights.get(`${consumer}.weight`)!]
  return Float32Array.from({ length: width }, (_, column) => now[column]! / before[column]!)
}

describe.each([
  ['alpha', alphaStrategy({ alphas: DUO_RATIOS })],
  ['duo', duoStrategy()],
] as const)('%s with the rules of AutoAWQ', (name, strategy) => {
  const expected = golden[name]

  test('finds its scales', async () => {
    const after = block()
    const objective = blockObjective({ tokens: batch * length })
    await scalePass({ strategy, objective, rule, identity: false }).run(after)
    for (const { consumers, scale } of expected.scales) {
      const found = foldedScale(after, consumers[0]!, scale.length)
      scale.forEach((value, column) => {
        expect(Math.abs(found[column]! / value - 1)).toBeLessThan(1e-3)
      })
    }
  })

  test('finds its clip limits, on every second token', async () => {
    // With its own scales: where both ends of a range are clamped its zero point is round(7.5), which depends on the last
    // bit of the weights.
    const after = block()
    for (const group of structure.scaleGroups) {
      const { scale } = expected.scales.find(({ consumers }) => consumers[0] === group.consumers[0])!
      applyScale(after, group, { scale: Float32Array.from(scale) })
    }
    expect(expected.clips).toHaveLength(5)
    for (const { name: linear, limit } of expected.clips) {
      const { site, shape } = structure.linears.find((entry) => entry.name === linear)!
      const [rows, width] = shape
      const strided = Float32Array.from({ length: (batch * length * width) / 2 }, (_, at) => {
        const token = Math.floor(at / width) * 2
        return sites.get(site)![token * width + (at % width)]!
      })
      const group = structure.scaleGroups.find((entry) => entry.site === site)!
      const { scale } = expected.scales.find(({ consumers }) => consumers[0] === group.consumers[0])!
      const { gram } = scaleStats(await collectStats(engine, strided, width), Float32Array.from(scale))
      const weight = after.weights.get(`${linear}.weight`)!
      const options = { ratios: AUTOAWQ_CLIP_RATIOS, clamp: 'symmetric', rule } as const
      const { ranges } = await searchClip(engine, { weight, rows, width, gram, spec, ...options })
      const wrong = limit.filter((value, at) => {
        const found = Math.max(-ranges.low[at]!, ranges.high[at]!)
        return Math.abs(found / value - 1) > 1e-3
      })
      expect([linear, wrong.length]).toEqual([linear, 0])
    }
  })
})

test('other rules find other scales', async () => {
  const after = block()
  await scalePass({ strategy: duoStrategy() }).run(after)
  const differing = golden.duo.scales.filter(({ consumers, scale }) => {
    const found = foldedScale(after, consumers[0]!, scale.length)
    return scale.some((value, column) => Math.abs(found[column]! / value - 1) > 1e-3)
  })
  expect(differing.length).toBeGreaterThan(0)
})
