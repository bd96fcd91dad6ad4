/**
 * GPT-NeoX and Pythia (arXiv 2204.06745, 2304.01373): attention and MLP side by side, each behind a layer norm of its own; query,
 * key and value of each head lie together in one projection; a part of each head is rotated.
 * @module
 */
import { readActivation } from '../activation.ts'
import type { Architecture } from '../architecture.ts'
import { addToHidden, attend, layerNorm, linear, plainMlp, plainMlpGroup, scaleGroup, sum } from '../parts.ts'
import { readRope } from '../read-rope.ts'
import { readSizes } from '../read-sizes.ts'

const mlp = ['mlp.dense_h_to_4h', 'mlp.dense_4h_to_h'] as const

export const gptNeox: Architecture = {
  modelTypes: ['gpt_neox'],
  model(reader, modelType) {
    const config = readSizes(reader, modelType, { intermediateSize: 24576 })
    const { hiddenSize, heads } = config
    const epsilon = reader.positive('layer_norm_eps', 1e-5)
    const activation = readActivation(reader, 'hidden_act', 'gelu')
    const parallel = reader.flag('use_parallel_residual', true)
    const bias = reader.flag('attention_bias', true)
    const theta = reader.positive('rotary_emb_base', 10000)
    const rope = readRope(reader, { ...config, theta, partial: reader.positive('rotary_pct', 0.25) })
    const norm = (weight: string, from: string, to: string) => layerNorm(weight, hiddenSize, epsilon, from, to)
    return {
      config,
      outer: {
        embedding: 'gpt_neox.embed_in',
        norm: [norm('gpt_neox.final_layer_norm', 'hidden', 'normed')],
        head: 'embed_out',
      },
      prefix: 'gpt_neox.',
      aliases: { 'lm_head.': 'embed_out.' },
      ignored: ['.attention.bias', '.attention.masked_bias'],
      blockName: (layer) => `gpt_neox.layers.${layer}`,
      block: () => ({
        steps: [
          norm('input_layernorm', 'hidden', 'attentionInput'),
          linear('attention.query_key_value', [3 * hiddenSize, hiddenSize], 'attentionInput', 'qkv', bias),
          {
            step: 'split',
            from: 'qkv',
            to: ['query', 'key', 'value'],
            widths: [hiddenSize, hiddenSize, hiddenSize],
            groups: heads,
          },
          attend(config, { rope }),
          linear('attention.dense', [hiddenSize, hiddenSize], 'attended', 'attentionOutput', bias),
          ...(parallel ? [] : [addToHidden('attentionOutput')]),
          norm('post_attention_layernorm', 'hidden', 'mlpInput'),
          ...plainMlp(config, { from: 'mlpInput', activation, names: mlp }),
          ...(parallel ? sum(['mlpOutput', 'attentionOutput', 'hidden'], 'hidden') : [addToHidden('mlpOutput')]),
        ],
        scaleGroups: [
          scaleGroup('norm', 'input_layernorm', 'attention.query_key_value'),
          scaleGroup('value', 'attention.query_key_value', 'attention.dense'),
          scaleGroup('norm', 'post_attention_layernorm', mlp[0]),
          plainMlpGroup(activation, ...mlp),
        ],
      }),
    }
  },
}
