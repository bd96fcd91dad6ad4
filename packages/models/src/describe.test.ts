import { expect, test } from 'vitest'
import { describeModel } from './describe.ts'
import { ropeTables } from './rope.ts'
import { causalMask } from './sequence.ts'

const config = {
  model_type: 'llama',
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  vocab_size: 100,
}

test.each<[string, unknown, RegExp]>([
  ['no object', [], /must be a JSON object/],
  ['no model type', { ...config, model_type: undefined }, /model_type must be the name/],
  [
    'an unknown family',
    { ...config, model_type: 'lama' },
    /"lama" is not supported.*closest: llama.*registerArchitecture/,
  ],
  ['a missing dimension', { ...config, hidden_size: undefined }, /hidden_size must be a whole number.*missing/],
  ['a fractional dimension', { ...config, hidden_size: 1.5 }, /hidden_size must be a whole number/],
  ['a huge dimension', { ...config, vocab_size: 1e12 }, /vocab_size must be a whole number/],
  ['a wide model, before its tables are made', { ...config, hidden_size: 2 ** 28 }, /hidden_size is .* more than/],
  ['a wide MLP', { ...config, intermediate_size: 2 ** 28 }, /intermediate_size is .* more than/],
  ['many heads', { ...config, num_attention_heads: 2 ** 14, head_dim: 2 ** 14 }, /num_attention_heads x head_dim/],
  ['a quantized checkpoint', { ...config, quantization_config: { quant_method: 'gptq' } }, /quantized already.*gptq/],
  ['rope settings that are no object', { ...config, rope_scaling: 'linear' }, /: rope_scaling must be a JSON object/],
  [
    'a blend of no width',
    { ...config, rope_scaling: { rope_type: 'llama3', low_freq_factor: 4, high_freq_factor: 4 } },
    /high_freq_factor must be above low_freq_factor 4/,
  ],
  ['a string for a number', { ...config, num_hidden_layers: '2' }, /num_hidden_layers must be/],
  ['heads that do not divide', { ...config, num_key_value_heads: 3 }, /multiple of num_key_value_heads 3/],
  ['an odd head', { ...config, head_dim: 7 }, /head_dim 7 must be even/],
  ['an unknown activation', { ...config, hidden_act: 'mish' }, /hidden_act "mish" is not implemented; supported: silu/],
  ['an activation of the prototype chain', { ...config, hidden_act: 'constructor' }, /is not implemented/],
  [
    'an unknown rope',
    { ...config, rope_scaling: { rope_type: 'mrope', factor: 2 } },
    /rope_scaling.rope_type|rope_type "mrope"/,
  ],
  ['a partial rope', { ...config, partial_rotary_factor: 0.5 }, /partial_rotary_factor/],
  ['a negative epsilon', { ...config, rms_norm_eps: -1 }, /rms_norm_eps must be a number above 0/],
])('%s is refused', (_, json, message) => {
  expect(() => describeModel(json)).toThrow(message)
})

test('defaults: one key head for each query head, head width from the hidden size', () => {
  const { config: described, blocks, outerParameters, head } = describeModel(config)
  expect(described).toMatchObject({ kvHeads: 4, headDim: 8, tiedEmbeddings: false })
  expect(blocks[0]!.attention.rope).toMatchObject({ theta: 10000, width: 8 })
  expect(blocks[1]).toBe(blocks[0])
  expect(blocks[0]!.linears.map(({ name, shape }) => [name, shape.join('x')])).toEqual([
    ['self_attn.q_proj', '32x32'],
    ['self_attn.k_proj', '32x32'],
    ['self_attn.v_proj', '32x32'],
    ['self_attn.o_proj', '32x32'],
    ['mlp.gate_proj', '48x32'],
    ['mlp.up_proj', '48x32'],
    ['mlp.down_proj', '32x48'],
  ])
  expect(outerParameters).toHaveLength(3)
  expect(head).toBe('lm_head.weight')
})

test('both spellings of rope settings read the same', () => {
  const scaling = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 64 }
  const old = { ...config, rope_theta: 5e5, rope_scaling: { rope_type: 'llama3', ...scaling } }
  const oldest = { ...config, rope_theta: 5e5, rope_scaling: { type: 'llama3', ...scaling } }
  const recent = { ...config, rope_parameters: { rope_type: 'llama3', rope_theta: 5e5, ...scaling } }
  const ropeOf = (json: unknown) => describeModel(json).blocks[0]!.attention.rope
  expect(ropeOf(recent)).toEqual(ropeOf(old))
  expect(ropeOf(oldest)).toEqual(ropeOf(old))
})

test('rotary tables turn position 0 by nothing and linear scaling slows them down', () => {
  const plain = ropeTables({ theta: 100, scaling: { type: 'default' } }, 4, 5)
  const slow = ropeTables({ theta: 100, scaling: { type: 'linear', factor: 2 } }, 4, 5)
  expect([...plain.cos.subarray(0, 2)]).toEqual([1, 1])
  expect(plain.cos[2]).toBeCloseTo(Math.cos(1), 6)
  expect(plain.sin[3]).toBeCloseTo(Math.sin(0.1), 6)
  expect(slow.cos[8]).toBeCloseTo(plain.cos[4]!, 6)
})

test('the mask lets a token see its past, filled slots and itself, within the window', () => {
  const { sequence } = describeModel({
    ...config,
    model_type: 'mistral',
    sliding_window: 2,
    num_key_value_heads: 2,
  })
  const { data, shape } = causalMask(sequence.masks[0]!, { past: 2, length: 2, capacity: 4 })
  expect(shape).toEqual([4, 6])
  const seen = Array.from(data as Float32Array, (value) => (value === 0 ? 'x' : '.')).join('')
  // Slots 0 to 3 of the cache, then the two new tokens; the rows twice, for two query heads each key head.
  expect(seen).toBe('.x..x.' + '....xx' + '.x..x.' + '....xx')
})
