/**
 * Phi-1, 1.5 and 2 (arXiv 2306.11644, 2309.05463): attention and MLP side by side behind one layer norm, a part of each head
 * rotated, biases everywhere, the head's too.
 * @module
 */
import { readActivation } from '../activation.ts'
import type { Architecture } from '../architecture.ts'
import {
  headNorms,
  layerNorm,
  llamaNames,
  plainMlp,
  plainMlpGroup,
  scaleGroup,
  separateAttention,
  sum,
} from '../parts.ts'
import { readRope } from '../read-rope.ts'
import { readSizes } from '../read-sizes.ts'

const projections = ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj', 'self_attn.dense'] as const
const mlp = ['mlp.fc1', 'mlp.fc2'] as const
const headNames = ['self_attn.q_layernorm', 'self_attn.k_layernorm'] as const

export const phi: Architecture = {
  modelTypes: ['phi'],
  model(reader, modelType) {
    const config = readSizes(reader, modelType, { intermediateSize: 8192 })
    const { hiddenSize } = config
    const epsilon = reader.positive('layer_norm_eps', 1e-5)
    const activation = readActivation(reader, 'hidden_act', 'gelu_new')
    const rope = readRope(reader, { ...config, partial: 0.5 })
    const normed = reader.flag('qk_layernorm', false)
    const norm = (weight: string, from: string, to: string) => layerNorm(weight, hiddenSize, epsilon, from, to)
    return {
      config,
      ...llamaNames(norm('model.final_layernorm', 'hidden', 'normed'), {
        headBias: true,
      }),
      block: () => ({
        steps: [
          norm('input_layernorm', 'hidden', 'blockInput'),
          ...separateAttention(config, {
            ...{ from: 'blockInput', bias: true, rope, names: projections },
            ...(normed ? headNorms(config, { norm: 'layer', bias: true, epsilon }, headNames) : {}),
          }),
          ...plainMlp(config, { from: 'blockInput', activation, names: mlp }),
          ...sum(['attentionOutput', 'mlpOutput', 'hidden'], 'hidden'),
        ],
        scaleGroups: [
          scaleGroup('norm', 'input_layernorm', ...projections.slice(0, 3), mlp[0]),
          scaleGroup('value', 'self_attn.v_proj', 'self_attn.dense'),
          plainMlpGroup(activation, ...mlp),
        ],
      }),
    }
  },
}
