/**
 * Phi-3, Phi-3.5 and Phi-4 (arXiv 2404.14219, 2412.08905): as Llama, with query, key and value in one projection, gate and up
 * in another, and rotary embedding stretched by LongRoPE.
 * @module
 */
import { readActivation } from '../activation.ts'
import type { Architecture } from '../architecture.ts'
import { addToHidden, attend, linear, llamaNames, readWindow, rmsNorm, scaleGroup } from '../parts.ts'
import { readRope } from '../read-rope.ts'
import { readSizes } from '../read-sizes.ts'

export const phi3: Architecture = {
  modelTypes: ['phi3'],
  model(reader, modelType) {
    const config = readSizes(reader, modelType, { contextLength: 4096 })
    const { hiddenSize, intermediateSize, heads, kvHeads, headDim } = config
    const [queries, keys] = [heads * headDim, kvHeads * headDim]
    const epsilon = reader.positive('rms_norm_eps', 1e-5)
    const activation = readActivation(reader, 'hidden_act')
    const rope = readRope(reader, { ...config, partial: 1, originalContextLength: 4096 })
    const window = readWindow(reader)
    return {
      config,
      ...llamaNames(rmsNorm('model.norm', hiddenSize, epsilon, 'hidden', 'normed')),
      block: () => ({
        steps: [
          rmsNorm('input_layernorm', hiddenSize, epsilon, 'hidden', 'attentionInput'),
          linear('self_attn.qkv_proj', [queries + 2 * keys, hiddenSize], 'attentionInput', 'qkv'),
          { step: 'split', from: 'qkv', to: ['query', 'key', 'value'], widths: [queries, keys, keys] },
          attend(config, { rope, window }),
          linear('self_attn.o_proj', [hiddenSize, queries], 'attended', 'attentionOutput'),
          addToHidden('attentionOutput'),
          rmsNorm('post_attention_layernorm', hiddenSize, epsilon, 'hidden', 'mlpInput'),
          linear('mlp.gate_up_proj', [2 * intermediateSize, hiddenSize], 'mlpInput', 'gateUp'),
          { step: 'split', from: 'gateUp', to: ['gate', 'up'], widths: [intermediateSize, intermediateSize] },
          { step: 'activation', activation, from: 'gate', to: 'activated' },
          { step: 'multiply', left: 'activated', right: 'up', to: 'gated' },
          linear('mlp.down_proj', [hiddenSize, intermediateSize], 'gated', 'mlpOutput'),
          addToHidden('mlpOutput'),
        ],
        scaleGroups: [
          scaleGroup('norm', 'input_layernorm', 'self_attn.qkv_proj'),
          scaleGroup('value', 'self_attn.qkv_proj', 'self_attn.o_proj'),
          scaleGroup('norm', 'post_attention_layernorm', 'mlp.gate_up_proj'),
          scaleGroup('linear', 'mlp.gate_up_proj', 'mlp.down_proj'),
        ],
      }),
    }
  },
}
