/**
 * Qwen 2, 2.5 (arXiv 2407.10671) and 3 (arXiv 2505.09388): as Llama, with biases on query, key and value (2) or with norms
 * on the heads of query and key (3); later layers may attend within a window.
 * @module
 */
import { readActivation } from '../activation.ts'
import type { Architecture, ModelTable } from '../architecture.ts'
import type { ConfigReader } from '../config-reader.ts'
import {
  addToHidden,
  gatedMlp,
  headNorms,
  llamaGroups,
  llamaNames,
  readSlidingLayers,
  readWindow,
  rmsNorm,
  separateAttention,
} from '../parts.ts'
import { type RopeOptions, readRope } from '../read-rope.ts'
import { readSizes } from '../read-sizes.ts'

/** A model of this family. @param positions what its rotary embedding has beyond the plain one */
export const qwenTable = (
  reader: ConfigReader,
  modelType: string,
  positions: Pick<RopeOptions, 'sections'> = {},
): ModelTable => {
  const third = modelType === 'qwen3'
  const config = readSizes(reader, modelType, { contextLength: 32768, ...(third ? { headDim: 128 } : {}) })
  const { hiddenSize, layers } = config
  const epsilon = reader.positive('rms_norm_eps', 1e-6)
  const activation = readActivation(reader, 'hidden_act')
  const rope = readRope(reader, { ...config, ...positions })
  const bias = third ? reader.flag('attention_bias', false) : true
  const windowed = reader.flag('use_sliding_window', false)
  const firstWindowed = reader.count('max_window_layers', 28)
  const sliding = readSlidingLayers(reader, layers, (layer) => layer >= firstWindowed)
  const window = windowed ? readWindow(reader, 4096) : null
  return {
    config,
    ...llamaNames(rmsNorm('model.norm', hiddenSize, epsilon, 'hidden', 'normed')),
    block: (layer) => ({
      steps: [
        rmsNorm('input_layernorm', hiddenSize, epsilon, 'hidden', 'attentionInput'),
        ...separateAttention(config, {
          from: 'attentionInput',
          bias,
          outputBias: third && bias,
          rope,
          window: sliding(layer) ? window : null,
          ...(third ? headNorms(config, { norm: 'rms', epsilon }) : {}),
        }),
        addToHidden('attentionOutput'),
        rmsNorm('post_attention_layernorm', hiddenSize, epsilon, 'hidden', 'mlpInput'),
        ...gatedMlp(config, { from: 'mlpInput', activation }),
        addToHidden('mlpOutput'),
      ],
      scaleGroups: llamaGroups(),
    }),
  }
}

export const qwen: Architecture = {
  modelTypes: ['qwen2', 'qwen3'],
  model: (reader, modelType) => qwenTable(reader, modelType),
}
