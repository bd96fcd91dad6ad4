/**
 * StarCoder2 (arXiv 2402.19173): rotary attention within a window, layer norms, MLP without a gate, biases.
 * @module
 */
import { readActivation } from '../activation.ts'
import type { Architecture } from '../architecture.ts'
import {
  addToHidden,
  layerNorm,
  llamaNames,
  plainMlp,
  plainMlpGroup,
  readWindow,
  scaleGroup,
  separateAttention,
} from '../parts.ts'
import { readRope } from '../read-rope.ts'
import { readSizes } from '../read-sizes.ts'

const mlp = ['mlp.c_fc', 'mlp.c_proj'] as const

export const starcoder2: Architecture = {
  modelTypes: ['starcoder2'],
  model(reader, modelType) {
    const config = readSizes(reader, modelType, {
      contextLength: 4096,
      intermediateSize: 12288,
      kvHeads: 2,
      tied: true,
    })
    const { hiddenSize } = config
    const epsilon = reader.positive('norm_epsilon', 1e-5)
    const activation = readActivation(reader, 'hidden_act', 'gelu_pytorch_tanh')
    const rope = readRope(reader, config)
    const bias = reader.flag('use_bias', true)
    const window = readWindow(reader)
    const norm = (weight: string, from: string, to: string) => layerNorm(weight, hiddenSize, epsilon, from, to)
    return {
      config,
      ...llamaNames(norm('model.norm', 'hidden', 'normed')),
      block: () => ({
        steps: [
          norm('input_layernorm', 'hidden', 'attentionInput'),
          ...separateAttention(config, { from: 'attentionInput', bias, rope, window }),
          addToHidden('attentionOutput'),
          norm('post_attention_layernorm', 'hidden', 'mlpInput'),
          ...plainMlp(config, { from: 'mlpInput', activation, bias, names: mlp }),
          addToHidden('mlpOutput'),
        ],
        scaleGroups: [
          scaleGroup('norm', 'input_layernorm', 'self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'),
          scaleGroup('value', 'self_attn.v_proj', 'self_attn.o_proj'),
          scaleGroup('norm', 'post_attention_layernorm', mlp[0]),
          plainMlpGroup(activation, ...mlp),
        ],
      }),
    }
  },
}
