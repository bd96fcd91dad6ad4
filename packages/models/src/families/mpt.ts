/**
 * MPT: linear biases instead of positions, layer norms without biases, queries, keys and values that may be clipped.
 * @module
 */
import type { Architecture } from '../architecture.ts'
import { alibiSlopes } from '../emit-alibi.ts'
import { addToHidden, attend, layerNorm, linear, plainMlp, plainMlpGroup, scaleGroup } from '../parts.ts'
import { readSizes } from '../read-sizes.ts'

const mlp = ['ffn.up_proj', 'ffn.down_proj'] as const
const fields = { hiddenSize: 'd_model', heads: 'n_heads', layers: 'n_layers', contextLength: 'max_seq_len' } as const

export const mpt: Architecture = {
  modelTypes: ['mpt'],
  model(reader, modelType) {
    const config = readSizes(reader, modelType, { intermediateFactor: 4, tied: true }, fields)
    const { hiddenSize, heads, headDim } = config
    const epsilon = reader.positive('layer_norm_epsilon', 1e-5)
    const own = reader.object('attn_config')
    const limit = own?.optional('clip_qkv') ?? null
    const scale = own?.optional('softmax_scale') ?? headDim ** -0.5
    const maxBias = own?.positive('alibi_bias_max', 8) ?? 8
    own?.only('attn_type', 'multihead_attention')
    own?.only('prefix_lm', false)
    own?.only('qk_ln', false)
    own?.only('alibi', true)
    reader.only('expansion_ratio', 4)
    reader.only('no_bias', true)
    if (reader.has('logit_scale')) reader.unsupported('logit_scale', 'null')
    const norm = (weight: string, from: string, to: string) => layerNorm(weight, hiddenSize, epsilon, from, to, false)
    return {
      config,
      outer: {
        embedding: 'transformer.wte',
        norm: [norm('transformer.norm_f', 'hidden', 'normed')],
        head: 'lm_head',
      },
      prefix: 'transformer.',
      blockName: (layer) => `transformer.blocks.${layer}`,
      block: () => ({
        steps: [
          norm('norm_1', 'hidden', 'attentionInput'),
          linear('attn.Wqkv', [3 * hiddenSize, hiddenSize], 'attentionInput', limit === null ? 'qkv' : 'unclipped'),
          ...(limit === null ? [] : [{ step: 'clamp', limit, from: 'unclipped', to: 'qkv' } as const]),
          { step: 'split', from: 'qkv', to: ['query', 'key', 'value'], widths: [hiddenSize, hiddenSize, hiddenSize] },
          attend(config, { rope: null, scale, alibi: { slopes: alibiSlopes(heads, maxBias) } }),
          linear('attn.out_proj', [hiddenSize, hiddenSize], 'attended', 'attentionOutput'),
          addToHidden('attentionOutput'),
          norm('norm_2', 'hidden', 'mlpInput'),
          ...plainMlp(config, { from: 'mlpInput', activation: 'gelu', bias: false, names: mlp }),
          addToHidden('mlpOutput'),
        ],
        scaleGroups: [
          scaleGroup('norm', 'norm_1', 'attn.Wqkv'),
          // What is clipped is no multiple of the projection's rows.
          ...(limit === null ? [scaleGroup('value', 'attn.Wqkv', 'attn.out_proj')] : []),
          scaleGroup('norm', 'norm_2', mlp[0]),
          plainMlpGroup('gelu', ...mlp),
        ],
      }),
    }
  },
}
