/**
 * Granite 3: as Llama, with multipliers on embeddings, scores, what is added to the residual stream, and logits.
 * @module
 */
import { readActivation } from '../activation.ts'
import type { Architecture } from '../architecture.ts'
import { addToHidden, gatedMlp, llamaGroups, llamaNames, rmsNorm, separateAttention } from '../parts.ts'
import { readRope } from '../read-rope.ts'
import { readSizes } from '../read-sizes.ts'
import type { Step } from '../steps.ts'

const multiplied = (factor: number, from: string, to: string): Step => ({ step: 'factor', factor, from, to })

export const granite: Architecture = {
  modelTypes: ['granite'],
  model(reader, modelType) {
    const config = readSizes(reader, modelType)
    const { hiddenSize } = config
    const epsilon = reader.positive('rms_norm_eps', 1e-6)
    const activation = readActivation(reader, 'hidden_act')
    const bias = reader.flag('attention_bias', false)
    const mlpBias = reader.flag('mlp_bias', false)
    const rope = readRope(reader, config)
    const scale = reader.positive('attention_multiplier', 1)
    const added = reader.positive('residual_multiplier', 1)
    return {
      config,
      ...llamaNames(rmsNorm('model.norm', hiddenSize, epsilon, 'hidden', 'normed'), {
        embed: [multiplied(reader.positive('embedding_multiplier', 1), 'hidden', 'hidden')],
        logits: [multiplied(1 / reader.positive('logits_scaling', 1), 'logits', 'logits')],
      }),
      block: () => ({
        steps: [
          rmsNorm('input_layernorm', hiddenSize, epsilon, 'hidden', 'attentionInput'),
          ...separateAttention(config, { from: 'attentionInput', bias, rope, scale }),
          multiplied(added, 'attentionOutput', 'attentionPart'),
          addToHidden('attentionPart'),
          rmsNorm('post_attention_layernorm', hiddenSize, epsilon, 'hidden', 'mlpInput'),
          ...gatedMlp(config, { from: 'mlpInput', bias: mlpBias, activation }),
          multiplied(added, 'mlpOutput', 'mlpPart'),
          addToHidden('mlpPart'),
        ],
        scaleGroups: llamaGroups(),
      }),
    }
  },
}
