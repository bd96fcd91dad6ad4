import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { ScaleGroupRule } from './architecture.ts'
import { describeModel } from './describe.ts'
import { type BlockDescription, describeBlock } from './describe-block.ts'
import { families } from './families/index.ts'
import { scaleGroup } from './parts.ts'
import type { Step } from './steps.ts'

const describeFixture = (): BlockDescription =>
  describeModel(JSON.parse(readFileSync(new URL('fixtures/plain/config.json', import.meta.url), 'utf8'))).blocks[0]!

const checkpoints = new URL('../../../test/fixtures/models/', import.meta.url)
const configs = readdirSync(checkpoints).flatMap((name) => {
  const json = JSON.parse(readFileSync(new URL(`${name}/config.json`, checkpoints), 'utf8'))
  const known = families.some(({ modelTypes }) => modelTypes.includes(json.model_type))
  return known && !json.quantization_config ? [[name, json] as const] : []
})

test.each(configs)('every linear is in one scale group, but where nothing can absorb: %s', (_, json) => {
  for (const { linears, scaleGroups } of describeModel(json).blocks) {
    const consumers = scaleGroups.flatMap((group) => group.consumers)
    expect(new Set(consumers).size).toBe(consumers.length)
    const left = linears.map(({ name }) => name).filter((name) => !consumers.includes(name))
    // What is clipped on its way is no multiple of the values.
    expect(left.filter((name) => !(clips(json) && /(o_proj|out_proj)$/.test(name)))).toEqual([])
  }
})
const clips = (json: { clip_qkv?: number | null; attn_config?: { clip_qkv?: number | null } }): boolean =>
  typeof (json.clip_qkv ?? json.attn_config?.clip_qkv) === 'number'

const { config, steps } = describeFixture()
const resolve = (rule: ScaleGroupRule, more: readonly Step[] = []) =>
  describeBlock(config, { steps: [...steps, ...more], scaleGroups: [rule] }, 'key').scaleGroups[0]!
const [q, k, v, o] = ['q_proj', 'k_proj', 'v_proj', 'o_proj'].map((name) => `self_attn.${name}`) as [
  string,
  ...string[],
]
const attentionNorm = scaleGroup('norm', 'input_layernorm', q, k!, v!)
const [up, down] = ['mlp.up_proj', 'mlp.down_proj'] as const

test.each<[string, ScaleGroupRule, readonly Step[], RegExp]>([
  [
    'a linear that is left out',
    scaleGroup('norm', 'input_layernorm', k!, v!),
    [],
    /input_layernorm leaves out .*q_proj/,
  ],
  [
    'a consumer of another value',
    scaleGroup('norm', 'input_layernorm', q, up),
    [],
    /names mlp.up_proj, which does not/,
  ],
  [
    'a producer behind an activation',
    scaleGroup('linear', 'mlp.gate_proj', down),
    [],
    /does not scale all that .*down/,
  ],
  ['a norm called a linear', { ...attentionNorm, kind: 'linear' }, [], /is of the kind "norm", not "linear"/],
  ['values called a linear', scaleGroup('linear', v!, o!), [], /is of the kind "value", not "linear"/],
  ['a linear called values', scaleGroup('value', up, down), [], /is of the kind "linear", not "value"/],
  [
    'an activation that reads it too',
    scaleGroup('linear', up, down),
    [{ step: 'activation', activation: 'silu', from: 'up', to: 'other' }],
    /mlp.up_proj divides what activation of up reads/,
  ],
  [
    'a sum that reads it too',
    scaleGroup('linear', up, down),
    [{ step: 'add', left: 'hidden', right: 'gated', to: 'hidden' }],
    /divides what add of gated reads/,
  ],
  [
    'a norm that reads it too',
    scaleGroup('linear', up, down),
    [
      {
        step: 'norm',
        norm: 'rms',
        weight: 'n',
        bias: false,
        offset: 0,
        epsilon: 1,
        width: 48,
        from: 'up',
        to: 'other',
      },
    ],
    /divides what norm n of up reads/,
  ],
  [
    'a product with itself',
    scaleGroup('linear', up, down),
    [{ step: 'multiply', left: 'up', right: 'gated', to: 'other' }],
    /divides what multiply of up, gated reads/,
  ],
  [
    'the next block, which reads it too',
    scaleGroup('linear', up, down),
    [{ step: 'factor', factor: 2, from: 'up', to: 'hidden' }],
    /divides what the next block reads/,
  ],
])('%s is refused', (_, rule, more, message) => {
  expect(() => resolve(rule, more)).toThrow(message)
})

test('values that are queries too are refused', () => {
  const changed = steps.map((step) => (step.step === 'attention' ? { ...step, query: step.value } : step))
  const table = { steps: changed, scaleGroups: [scaleGroup('value', v!, o!)] }
  expect(() => describeBlock(config, table, 'key')).toThrow(/v_proj divides what attention of value, value reads/)
})

test('steps that scales pass through may read it too', () => {
  const passed: Step = { step: 'activation', activation: 'relu', from: 'up', to: 'other' }
  expect(resolve(scaleGroup('linear', up, down), [passed]).consumers).toEqual([down])
})

test('query heads that share a key head share the rows of the value projection', () => {
  const description = describeFixture() // 4 query heads, 2 key heads of width 8
  const { producerRow } = description.scaleGroups.find(({ kind }) => kind === 'value')!
  expect([...producerRow]).toEqual([0, 0, 8, 8].flatMap((start) => Array.from({ length: 8 }, (_, i) => start + i)))
})
