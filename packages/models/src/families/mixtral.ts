/**
 * Mixtral 8x7B, 8x22B (arXiv 2401.04088): Mistral's attention, and in every block experts of which each token takes two.
 * @module
 */
import { readActivation } from '../activation.ts'
import type { Architecture } from '../architecture.ts'
import { addToHidden, llamaNames, rmsNorm, selfAttentionGroups, separateAttention } from '../parts.ts'
import { type MixtureNames, mixture, mixtureGroups, readChosen } from '../parts-experts.ts'
import { readRope } from '../read-rope.ts'
import { readSizes } from '../read-sizes.ts'

const NAMES: MixtureNames = {
  router: 'block_sparse_moe.gate',
  names: ['block_sparse_moe.experts.*.w1', 'block_sparse_moe.experts.*.w3', 'block_sparse_moe.experts.*.w2'],
}

export const mixtral: Architecture = {
  modelTypes: ['mixtral'],
  model(reader, modelType) {
    const config = readSizes(reader, modelType, { contextLength: 131072, kvHeads: 8, intermediateSize: 14336 })
    const { hiddenSize, intermediateSize } = config
    const epsilon = reader.positive('rms_norm_eps', 1e-5)
    const rope = readRope(reader, { ...config, theta: 1e6 })
    const window = reader.has('sliding_window') ? reader.size('sliding_window') : null
    const activation = readActivation(reader, 'hidden_act')
    const experts = reader.size('num_local_experts', 8)
    const chosen = readChosen(reader, experts, 2)
    return {
      config,
      ...llamaNames(rmsNorm('model.norm', hiddenSize, epsilon, 'hidden', 'normed')),
      block: () => ({
        steps: [
          rmsNorm('input_layernorm', hiddenSize, epsilon, 'hidden', 'attentionInput'),
          ...separateAttention(config, { from: 'attentionInput', rope, window }),
          addToHidden('attentionOutput'),
          rmsNorm('post_attention_layernorm', hiddenSize, epsilon, 'hidden', 'mlpInput'),
          ...mixture({
            ...{ from: 'mlpInput', hiddenSize, width: intermediateSize, activation, ...NAMES },
            ...{ experts, chosen, score: 'softmax', normalized: true },
          }),
          addToHidden('mlpOutput'),
        ],
        scaleGroups: [...selfAttentionGroups(), ...mixtureGroups('post_attention_layernorm', NAMES)],
      }),
    }
  },
}
