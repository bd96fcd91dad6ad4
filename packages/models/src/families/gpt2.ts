/**
 * GPT-2: learned positions, layer norms, one projection for query, key and value, MLP without a gate; linears are stored
 * transposed.
 * @module
 */
import { readActivation } from '../activation.ts'
import type { Architecture } from '../architecture.ts'
import { addToHidden, attend, layerNorm, linear, plainMlp, plainMlpGroup, scaleGroup } from '../parts.ts'
import { readSizes } from '../read-sizes.ts'

const fields = {
  hiddenSize: 'n_embd',
  heads: 'n_head',
  layers: 'n_layer',
  intermediateSize: 'n_inner',
  contextLength: 'n_positions',
} as const

export const gpt2: Architecture = {
  modelTypes: ['gpt2'],
  model(reader, modelType) {
    const config = readSizes(reader, modelType, { contextLength: 1024, intermediateFactor: 4, tied: true }, fields)
    const { hiddenSize, contextLength, headDim } = config
    const epsilon = reader.positive('layer_norm_epsilon', 1e-5)
    const activation = readActivation(reader, 'activation_function', 'gelu_new')
    const scaled = reader.flag('scale_attn_weights', true)
    const byLayer = reader.flag('scale_attn_by_inverse_layer_idx', false)
    reader.only('add_cross_attention', false)
    return {
      config,
      outer: {
        embedding: 'transformer.wte',
        embed: [
          {
            step: 'positions',
            table: 'transformer.wpe.weight',
            ...{ rows: contextLength, width: hiddenSize, offset: 0, from: 'hidden', to: 'hidden' },
          },
        ],
        norm: [layerNorm('transformer.ln_f', hiddenSize, epsilon, 'hidden', 'normed')],
        head: 'lm_head',
      },
      prefix: 'transformer.',
      ignored: ['.attn.bias', '.attn.masked_bias'],
      blockName: (layer) => `transformer.h.${layer}`,
      block: (layer) => ({
        steps: [
          layerNorm('ln_1', hiddenSize, epsilon, 'hidden', 'attentionInput'),
          { ...linear('attn.c_attn', [3 * hiddenSize, hiddenSize], 'attentionInput', 'qkv', true), transposed: true },
          { step: 'split', from: 'qkv', to: ['query', 'key', 'value'], widths: [hiddenSize, hiddenSize, hiddenSize] },
          attend(config, { rope: null, scale: (scaled ? headDim ** -0.5 : 1) / (byLayer ? layer + 1 : 1) }),
          { ...linear('attn.c_proj', [hiddenSize, hiddenSize], 'attended', 'attentionOutput', true), transposed: true },
          addToHidden('attentionOutput'),
          layerNorm('ln_2', hiddenSize, epsilon, 'hidden', 'mlpInput'),
          ...plainMlp(config, { from: 'mlpInput', activation, names: ['mlp.c_fc', 'mlp.c_proj'], transposed: true }),
          addToHidden('mlpOutput'),
        ],
        scaleGroups: [
          scaleGroup('norm', 'ln_1', 'attn.c_attn'),
          scaleGroup('value', 'attn.c_attn', 'attn.c_proj'),
          scaleGroup('norm', 'ln_2', 'mlp.c_fc'),
          plainMlpGroup(activation, 'mlp.c_fc', 'mlp.c_proj'),
        ],
      }),
    }
  },
}
