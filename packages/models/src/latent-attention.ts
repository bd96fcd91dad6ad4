/**
 * Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1): queries (optionally) and keys with values pass
 * through a narrow value with a norm of its own; the rotated part of the keys is one head that all share.
 * @module
 */
import type { ScaleGroupRule } from './architecture.ts'
import type { ModelConfig } from './config.ts'
import type { ConfigReader } from './config-reader.ts'
import { linear, rmsNorm, scaleGroup } from './parts.ts'
import { readRope } from './read-rope.ts'
import type { Step } from './steps.ts'

/** Epsilon of the norms of the narrow values, which the model code has as a number. */
const EPSILON = 1e-6

/** Attention from `attentionInput` to `attentionOutput`. */
export interface LatentAttention {
  /** Width of query and key heads. */
  readonly headDim: number
  readonly steps: readonly Step[]
  /** Scale groups, behind the norm whose name is given. */
  readonly groups: (norm: string) => ScaleGroupRule[]
}

/** YaRN's factor on the scores, for models that name `mscale_all_dim`: `(0.1 all log(factor) + 1)^2`. */
const scoreFactor = (reader: ConfigReader): number => {
  const parameters = reader.object('rope_parameters') ?? reader.object('rope_scaling')
  const all = parameters?.number('mscale_all_dim', 0) ?? 0
  const factor = parameters?.positive('factor', 1) ?? 1
  return all === 0 || factor <= 1 ? 1 : (0.1 * all * Math.log(factor) + 1) ** 2
}

/**
 * Reads the dimensions of latent attention.
 * @param interleaved whether rotated neighbours make a pair
 * @throws AwqError as the reader
 */
export const readLatentAttention = (
  reader: ConfigReader,
  { hiddenSize, heads, contextLength }: ModelConfig,
  interleaved: boolean,
): LatentAttention => {
  reader.only('num_key_value_heads', heads)
  const queryRank = reader.has('q_lora_rank') ? reader.size('q_lora_rank') : null
  const rank = reader.size('kv_lora_rank', 512)
  const plain = reader.size('qk_nope_head_dim', 128)
  const rotated = reader.size('qk_rope_head_dim', 64)
  const valueDim = reader.size('v_head_dim', 128)
  const bias = reader.flag('attention_bias', false)
  const rope = readRope(reader, { headDim: rotated, contextLength, interleaved })
  const headDim = plain + rotated
  const name = (base: string): string => `self_attn.${base}`
  const [qA, qB, q] = [name('q_a_proj'), name('q_b_proj'), name('q_proj')]
  const [kvA, kvB, o] = [name('kv_a_proj_with_mqa'), name('kv_b_proj'), name('o_proj')]
  const [qNorm, kvNorm] = [name('q_a_layernorm'), name('kv_a_layernorm')]
  const query: Step[] =
    queryRank === null
      ? [linear(q, [heads * headDim, hiddenSize], 'attentionInput', 'query')]
      : [
          linear(qA, [queryRank, hiddenSize], 'attentionInput', 'narrowQuery', bias),
          rmsNorm(qNorm, queryRank, EPSILON, 'narrowQuery', 'latentQuery'),
          linear(qB, [heads * headDim, queryRank], 'latentQuery', 'query'),
        ]
  const parts = (whole: string, part: string, shared: boolean): Step => ({
    step: 'join',
    parts: [
      { from: part, width: plain },
      { from: `turned${whole}`, width: rotated, shared },
    ],
    heads,
    to: `whole${whole}`,
  })
  return {
    headDim,
    steps: [
      ...query,
      linear(kvA, [rank + rotated, hiddenSize], 'attentionInput', 'narrow', bias),
      { step: 'split', from: 'narrow', to: ['narrowValue', 'rotatedKey'], widths: [rank, rotated] },
      rmsNorm(kvNorm, rank, EPSILON, 'narrowValue', 'latent'),
      linear(kvB, [heads * (plain + valueDim), rank], 'latent', 'keyValue'),
      {
        step: 'split',
        from: 'keyValue',
        to: ['plainKey', 'value'],
        widths: [heads * plain, heads * valueDim],
        groups: heads,
      },
      {
        step: 'split',
        from: 'query',
        to: ['plainQuery', 'rotatedQuery'],
        widths: [heads * plain, heads * rotated],
        groups: heads,
      },
      { step: 'rotary', from: 'rotatedQuery', to: 'turnedQuery', heads, rope },
      { step: 'rotary', from: 'rotatedKey', to: 'turnedKey', heads: 1, rope },
      parts('Query', 'plainQuery', false),
      parts('Key', 'plainKey', true),
      {
        step: 'attention',
        ...{
          query: 'wholeQuery',
          key: 'wholeKey',
          value: 'value',
          to: 'attended',
          heads,
          kvHeads: heads,
          headDim,
          valueDim,
        },
        ...{ scale: scoreFactor(reader) / Math.sqrt(headDim), rope: null, window: null, softCap: null, alibi: null },
      },
      linear(o, [hiddenSize, heads * valueDim], 'attended', 'attentionOutput', bias),
    ],
    groups: (norm) => [
      scaleGroup('norm', norm, queryRank === null ? q : qA, kvA),
      ...(queryRank === null ? [] : [scaleGroup('norm', qNorm, qB)]),
      scaleGroup('norm', kvNorm, kvB),
      scaleGroup('value', kvB, o),
    ],
  }
}
