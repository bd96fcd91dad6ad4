/**
 * SmolLM3: as Llama, with every fourth layer without positions.
 * @module
 */
import { readActivation } from '../activation.ts'
import type { Architecture } from '../architecture.ts'
import {
  addToHidden,
  gatedMlp,
  llamaGroups,
  llamaNames,
  readSlidingLayers,
  readWindow,
  rmsNorm,
  separateAttention,
} from '../parts.ts'
import { readRope } from '../read-rope.ts'
import { readSizes } from '../read-sizes.ts'

export const smollm3: Architecture = {
  modelTypes: ['smollm3'],
  model(reader, modelType) {
    const defaults = { contextLength: 32768, intermediateSize: 11008, kvHeads: 4, tied: true }
    const config = readSizes(reader, modelType, defaults)
    const { hiddenSize, layers } = config
    const epsilon = reader.positive('rms_norm_eps', 1e-6)
    const activation = readActivation(reader, 'hidden_act')
    const bias = reader.flag('attention_bias', false)
    const mlpBias = reader.flag('mlp_bias', false)
    const rope = readRope(reader, { ...config, theta: 2e6 })
    const interval = reader.size('no_rope_layer_interval', 4)
    const listed = reader.numbers('no_rope_layers')
    if (listed && listed.length < layers) reader.reject('no_rope_layers', `a list of ${layers} numbers`)
    const rotated = (layer: number) => (listed ? listed[layer] !== 0 : (layer + 1) % interval !== 0)
    const window = reader.flag('use_sliding_window', false) ? readWindow(reader) : null
    const sliding = readSlidingLayers(reader, layers, (layer) => !rotated(layer))
    return {
      config,
      ...llamaNames(rmsNorm('model.norm', hiddenSize, epsilon, 'hidden', 'normed')),
      block: (layer) => ({
        steps: [
          rmsNorm('input_layernorm', hiddenSize, epsilon, 'hidden', 'attentionInput'),
          ...separateAttention(config, {
            from: 'attentionInput',
            bias,
            rope: rotated(layer) ? rope : null,
            window: sliding(layer) ? window : null,
          }),
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
