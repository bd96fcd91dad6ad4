import { describe, expect, test } from 'vitest'
import { describeModel } from './describe.ts'
import { rowOrders } from './row-orders.ts'

const base = {
  hidden_size: 16,
  intermediate_size: 6,
  num_hidden_layers: 1,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 32,
  max_position_embeddings: 64,
}
const stepsOf = (config: object) => describeModel({ ...base, ...config }).blocks[0]!.steps
const llama = stepsOf({ model_type: 'llama', rms_norm_eps: 1e-5, hidden_act: 'silu' })
const phi3 = stepsOf({ model_type: 'phi3', rms_norm_eps: 1e-5, hidden_act: 'silu' })
const order = Int32Array.of(3, 0, 5, 1, 2, 4)

describe('rows that take the order of a value', () => {
  test('are those of both linears that are multiplied', () => {
    expect(rowOrders(llama, 'gated', order)).toEqual(
      new Map([
        ['mlp.gate_proj', order],
        ['mlp.up_proj', order],
      ]),
    )
  })

  test('are both halves of one linear that is split', () => {
    expect(rowOrders(phi3, 'gated', order)).toEqual(
      new Map([['mlp.gate_up_proj', Int32Array.of(3, 0, 5, 1, 2, 4, 9, 6, 11, 7, 8, 10)]]),
    )
  })

  test('are those of values, where all heads that share them are in one order', () => {
    const within = [2, 0, 3, 1]
    const alike = Int32Array.from({ length: 16 }, (_, at) => at - (at % 4) + within[at % 4]!)
    const values = Int32Array.from({ length: 8 }, (_, at) => at - (at % 4) + within[at % 4]!)
    expect(rowOrders(llama, 'attended', alike)).toEqual(new Map([['self_attn.v_proj', values]]))
    const fused = Int32Array.from({ length: 32 }, (_, row) => (row < 24 ? row : 24 + values[row - 24]!))
    expect(rowOrders(phi3, 'attended', alike)).toEqual(new Map([['self_attn.qkv_proj', fused]]))
    const differing = alike.slice()
    ;[differing[4], differing[5]] = [differing[5]!, differing[4]!]
    expect(rowOrders(llama, 'attended', differing)).toBeUndefined()
    const across = Int32Array.from({ length: 16 }, (_, at) => (at + 4) % 16)
    expect(rowOrders(llama, 'attended', across)).toBeUndefined()
  })

  test('are none where the residual stream is normed, which others read', () => {
    const site = describeModel({ ...base, model_type: 'llama', rms_norm_eps: 1e-5, hidden_act: 'silu' }).blocks[0]!
      .linears[0]!.site
    expect(
      rowOrders(
        llama,
        site,
        Int32Array.from({ length: 16 }, (_, at) => 15 - at),
      ),
    ).toBeUndefined()
  })

  test('go through activations and the vector behind them', () => {
    const gptNeox = stepsOf({
      model_type: 'gpt_neox',
      hidden_act: 'gelu',
      rotary_pct: 0.5,
      layer_norm_eps: 1e-5,
      num_key_value_heads: 4,
    })
    expect([...rowOrders(gptNeox, 'mlpInner', order)!.keys()].sort()).toEqual([
      'mlp.dense_4h_to_h.input_scale',
      'mlp.dense_h_to_4h',
    ])
  })
})
