/**
 * Command R, R+ (cohere) and Command R7B, A, Aya (cohere2): attention and MLP side by side behind one norm without bias, rotary
 * embedding of neighbours, scaled logits. R+ normalises each head with weights of its own; in cohere2 three of four layers
 * attend within a window, and the others have no positions.
 * @module
 */
import { readActivation } from '../activation.ts'
import type { Architecture } from '../architecture.ts'
import {
  gatedMlp,
  headNorms,
  layerNorm,
  llamaNames,
  readSlidingLayers,
  readWindow,
  scaleGroup,
  separateAttention,
  sum,
} from '../parts.ts'
import { readRope } from '../read-rope.ts'
import { readSizes } from '../read-sizes.ts'

const readers = ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj', 'mlp.gate_proj', 'mlp.up_proj']

export const cohere: Architecture = {
  modelTypes: ['cohere', 'cohere2'],
  model(reader, modelType) {
    const second = modelType === 'cohere2'
    const sizes = readSizes(reader, modelType, { contextLength: 8192, intermediateSize: 22528, tied: true })
    const config = second ? { ...sizes, headDim: Math.floor(sizes.hiddenSize / sizes.heads) } : sizes
    const { hiddenSize, layers } = config
    const epsilon = reader.positive('layer_norm_eps', 1e-5)
    const activation = readActivation(reader, 'hidden_act')
    const rope = readRope(reader, { ...config, theta: second ? 10000 : 500000, interleaved: true })
    const bias = reader.flag('attention_bias', false)
    const normed = !second && reader.flag('use_qk_norm', false)
    const factor = reader.positive('logit_scale', 0.0625)
    const pattern = second ? reader.size('sliding_window_pattern', 4) : 1
    const sliding = second ? readSlidingLayers(reader, layers, (layer) => (layer + 1) % pattern !== 0) : () => false
    const window = second ? readWindow(reader, 4096) : null
    const norm = (weight: string, from: string, to: string) => layerNorm(weight, hiddenSize, epsilon, from, to, false)
    return {
      config,
      ...llamaNames(norm('model.norm', 'hidden', 'normed'), {
        logits: [{ step: 'factor', factor, from: 'logits', to: 'logits' }],
      }),
      block: (layer) => ({
        steps: [
          norm('input_layernorm', 'hidden', 'blockInput'),
          ...separateAttention(config, {
            from: 'blockInput',
            bias,
            rope: !second || sliding(layer) ? rope : null,
            window: sliding(layer) ? window : null,
            ...(normed ? headNorms(config, { norm: 'layer', epsilon, weights: 'stacked' }) : {}),
          }),
          ...gatedMlp(config, { from: 'blockInput', activation }),
          ...sum(['hidden', 'attentionOutput', 'mlpOutput'], 'hidden'),
        ],
        scaleGroups: [
          scaleGroup('norm', 'input_layernorm', ...readers),
          scaleGroup('value', 'self_attn.v_proj', 'self_attn.o_proj'),
          scaleGroup('linear', 'mlp.up_proj', 'mlp.down_proj'),
        ],
      }),
    }
  },
}
