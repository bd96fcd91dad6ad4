/**
 * Llama 1 to 3, Mistral, SmolLM2, TinyLlama, Vicuna: pre-norm blocks, rotary attention with shared key/value heads,
 * gated MLP (arXiv 2302.13971, 2307.09288, 2310.06825).
 * @module
 */
import { readActivation } from '../activation.ts'
import type { Architecture } from '../architecture.ts'
import { addToHidden, gatedMlp, llamaGroups, llamaNames, readWindow, rmsNorm, separateAttention } from '../parts.ts'
import { readRope } from '../read-rope.ts'
import { readSizes } from '../read-sizes.ts'

export const llama: Architecture = {
  modelTypes: ['llama', 'mistral'],
  model(reader, modelType) {
    const config = readSizes(reader, modelType, { contextLength: modelType === 'mistral' ? 131072 : 2048 })
    const { hiddenSize } = config
    const epsilon = reader.positive('rms_norm_eps', 1e-6)
    const activation = readActivation(reader, 'hidden_act')
    const bias = reader.flag('attention_bias', false)
    const mlpBias = reader.flag('mlp_bias', false)
    const rope = readRope(reader, config)
    const window = modelType === 'mistral' ? readWindow(reader, 4096) : null
    return {
      config,
      ...llamaNames(rmsNorm('model.norm', hiddenSize, epsilon, 'hidden', 'normed')),
      block: () => ({
        steps: [
          rmsNorm('input_layernorm', hiddenSize, epsilon, 'hidden', 'attentionInput'),
          ...separateAttention(config, { from: 'attentionInput', bias, rope, window }),
          addToHidden('attentionOutput'),
          rmsNorm('post_attention_layernorm', hiddenSize, epsilon, 'hidden', 'mlpInput'),
          ...gatedMlp(config, { from: 'mlpInput', bias: mlpBias, activation }),
          addToHidden('mlpOutput'),
        ],
        scaleGroups: llamaGroups(),
      }),
    }
  },
}
