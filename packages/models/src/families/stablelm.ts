/**
 * StableLM (arXiv 2402.17834): as Llama with layer norms and a part of each head rotated; StableLM 2 12B has attention and MLP
 * side by side and a norm for every head.
 * @module
 */
import { readActivation } from '../activation.ts'
import type { Architecture } from '../architecture.ts'
import {
  addToHidden,
  gatedMlp,
  headNorms,
  layerNorm,
  llamaGroups,
  llamaNames,
  scaleGroup,
  separateAttention,
  sum,
} from '../parts.ts'
import { readRope } from '../read-rope.ts'
import { readSizes } from '../read-sizes.ts'

const headNames = ['self_attn.q_layernorm.norms', 'self_attn.k_layernorm.norms'] as const
const mlpInputs = ['mlp.gate_proj', 'mlp.up_proj'] as const

export const stablelm: Architecture = {
  modelTypes: ['stablelm'],
  model(reader, modelType) {
    const config = readSizes(reader, modelType, { contextLength: 4096, intermediateSize: 6912 })
    const { hiddenSize } = config
    const epsilon = reader.positive('layer_norm_eps', 1e-5)
    const activation = readActivation(reader, 'hidden_act')
    const rope = readRope(reader, { ...config, partial: 0.25 })
    const bias = reader.flag('use_qkv_bias', false)
    const normed = reader.flag('qk_layernorm', false)
    const parallel = reader.flag('use_parallel_residual', false)
    const norm = (weight: string, from: string, to: string) => layerNorm(weight, hiddenSize, epsilon, from, to)
    const [input, value, second, inner] = llamaGroups()
    return {
      config,
      ...llamaNames(norm('model.norm', 'hidden', 'normed')),
      block: () => ({
        steps: [
          norm('input_layernorm', 'hidden', 'attentionInput'),
          ...separateAttention(config, {
            ...{ from: 'attentionInput', bias, outputBias: false, rope },
            ...(normed ? headNorms(config, { norm: 'layer', epsilon, weights: 'listed' }, headNames) : {}),
          }),
          ...(parallel ? [] : [addToHidden('attentionOutput'), norm('post_attention_layernorm', 'hidden', 'mlpInput')]),
          ...gatedMlp(config, { from: parallel ? 'attentionInput' : 'mlpInput', activation }),
          ...(parallel ? sum(['hidden', 'attentionOutput', 'mlpOutput'], 'hidden') : [addToHidden('mlpOutput')]),
        ],
        scaleGroups: parallel
          ? [scaleGroup('norm', input!.producer, ...input!.consumers, ...mlpInputs), value!, inner!]
          : [input!, value!, second!, inner!],
      }),
    }
  },
}
