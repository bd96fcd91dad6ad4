/**
 * Mixtures of Qwen 1.5 and 2 (`qwen2_moe`: a shared expert with a gate) and Qwen 3 (`qwen3_moe`, arXiv 2505.09388): Qwen's
 * attention; some blocks may have one MLP in place of experts.
 * @module
 */
import { readActivation } from '../activation.ts'
import type { Architecture } from '../architecture.ts'
import type { ConfigReader } from '../config-reader.ts'
import {
  addToHidden,
  gatedMlp,
  headNorms,
  llamaGroups,
  llamaNames,
  readSlidingLayers,
  rmsNorm,
  selfAttentionGroups,
  separateAttention,
} from '../parts.ts'
import { type MixtureNames, mixture, mixtureGroups, mlpNames, readChosen } from '../parts-experts.ts'
import { readRope } from '../read-rope.ts'
import { readSizes } from '../read-sizes.ts'

const NAMES: MixtureNames = { router: 'mlp.gate', names: mlpNames('mlp.experts.*') }

/** Which blocks have experts. */
const readSparse = (reader: ConfigReader): ((layer: number) => boolean) => {
  const step = reader.size('decoder_sparse_step', 1)
  const dense = reader.numbers('mlp_only_layers') ?? []
  return (layer) => !dense.includes(layer) && (layer + 1) % step === 0
}

export const qwenMoe: Architecture = {
  modelTypes: ['qwen2_moe', 'qwen3_moe'],
  model(reader, modelType) {
    const third = modelType === 'qwen3_moe'
    const defaults = third ? { kvHeads: 4, intermediateSize: 6144 } : { kvHeads: 16, intermediateSize: 5632 }
    const config = readSizes(reader, modelType, { contextLength: 32768, ...defaults })
    const { hiddenSize, layers } = config
    const epsilon = reader.positive('rms_norm_eps', 1e-6)
    const activation = readActivation(reader, 'hidden_act')
    const rope = readRope(reader, config)
    const bias = third ? reader.flag('attention_bias', false) : reader.flag('qkv_bias', true)
    const windowed = reader.flag('use_sliding_window', false)
    const window = windowed ? reader.size('sliding_window', 4096) : null
    const firstFull = third ? layers : reader.count('max_window_layers', 28)
    const sliding = readSlidingLayers(reader, layers, (layer) => third || (layer % 2 === 0 && layer < firstFull))
    const experts = reader.size(reader.has('num_experts') ? 'num_experts' : 'num_local_experts', third ? 128 : 60)
    const chosen = readChosen(reader, experts, third ? 8 : 4)
    const width = reader.size('moe_intermediate_size', third ? 768 : 1408)
    const normalized = reader.flag('norm_topk_prob', false)
    const sparse = readSparse(reader)
    const names: MixtureNames = third
      ? NAMES
      : {
          ...NAMES,
          shared: {
            names: mlpNames('mlp.shared_expert'),
            width: reader.size('shared_expert_intermediate_size', 5632),
            gate: 'mlp.shared_expert_gate',
          },
        }
    const route = { experts, chosen, score: 'softmax', normalized } as const
    const norms = third ? headNorms(config, { norm: 'rms', epsilon }) : {}
    return {
      config,
      ...llamaNames(rmsNorm('model.norm', hiddenSize, epsilon, 'hidden', 'normed')),
      block: (layer) => ({
        steps: [
          rmsNorm('input_layernorm', hiddenSize, epsilon, 'hidden', 'attentionInput'),
          ...separateAttention(config, {
            ...{ from: 'attentionInput', bias, outputBias: third && bias, rope, ...norms },
            window: sliding(layer) ? window : null,
          }),
          addToHidden('attentionOutput'),
          rmsNorm('post_attention_layernorm', hiddenSize, epsilon, 'hidden', 'mlpInput'),
          ...(sparse(layer)
            ? mixture({ from: 'mlpInput', hiddenSize, width, activation, ...names, ...route })
            : gatedMlp(config, { from: 'mlpInput', activation })),
          addToHidden('mlpOutput'),
        ],
        scaleGroups: sparse(layer)
          ? [...selfAttentionGroups(), ...mixtureGroups('post_attention_layernorm', names)]
          : llamaGroups(),
      }),
    }
  },
}
