/**
 * gpt-oss 20b and 120b (arXiv 2508.10925): attention with sinks, windowed in every other block, and experts with biases and
 * a clamped SwiGLU whose gate and up rows alternate.
 * @module
 */
import type { Architecture } from '../architecture.ts'
import { readConfig } from '../config-reader.ts'
import {
  addToHidden,
  inputScale,
  linear,
  llamaNames,
  readSlidingLayers,
  rmsNorm,
  scaleGroup,
  selfAttentionGroups,
  separateAttention,
} from '../parts.ts'
import { floatLinear, readChosen } from '../parts-experts.ts'
import { readRope } from '../read-rope.ts'
import { readSizes } from '../read-sizes.ts'
import type { Step } from '../steps.ts'

const ROUTER = 'mlp.router'
const [GATE_UP, DOWN] = ['mlp.experts.*.gate_up_proj', 'mlp.experts.*.down_proj'] as const

/** What config.json means by no rope settings. */
const ROPE = { rope_type: 'yarn', factor: 32, truncate: false, original_max_position_embeddings: 4096 }

/** `(clamp(up) + 1) * gate * sigmoid(1.702 gate)`, of one expert. @param transposed how float checkpoints hold matrices */
const expert = (hiddenSize: number, width: number, transposed: boolean): Step[] => [
  { ...linear(GATE_UP, [2 * width, hiddenSize], 'mlpInput', 'gateUp', true), transposed },
  { step: 'split', from: 'gateUp', to: ['gate', 'up'], widths: [width, width], groups: width },
  { step: 'clamp', limit: 7, below: false, from: 'gate', to: 'clampedGate' },
  { step: 'activation', activation: 'quickGelu', from: 'clampedGate', to: 'activated' },
  { step: 'clamp', limit: 7, from: 'up', to: 'clampedUp' },
  { step: 'shift', by: 1, from: 'clampedUp', to: 'shiftedUp' },
  { step: 'multiply', left: 'activated', right: 'shiftedUp', to: 'gated' },
  inputScale(DOWN, width, 'gated', 'scaled'),
  { ...linear(DOWN, [hiddenSize, width], 'scaled', 'mlpOutput', true), transposed },
]

export const gptOss: Architecture = {
  modelTypes: ['gpt_oss'],
  model(reader, modelType) {
    const config = readSizes(reader, modelType, { contextLength: 131072, headDim: 64, kvHeads: 8 })
    const { hiddenSize, layers, intermediateSize } = config
    const epsilon = reader.positive('rms_norm_eps', 1e-5)
    const bias = reader.flag('attention_bias', true)
    const parameters = reader.object('rope_parameters') ?? reader.object('rope_scaling') ?? readConfig(ROPE)
    const rope = readRope(reader, { ...config, theta: 150000, parameters })
    const sliding = readSlidingLayers(reader, layers, (layer) => layer % 2 === 0)
    const window = reader.has('sliding_window') ? reader.size('sliding_window') : null
    reader.only('hidden_act', 'silu')
    reader.only('swiglu_limit', 7)
    const experts = reader.size(reader.has('num_experts') ? 'num_experts' : 'num_local_experts', 128)
    const chosen = readChosen(reader, experts, 4)
    // Codes of MXFP4 lie row by row.
    const transposed = !reader.has('quantization_config')
    const stacked = Object.fromEntries(
      [GATE_UP, DOWN].flatMap((name) => {
        const whole = name.replace('.*', '')
        return [
          [`${name}.weight`, whole],
          [`${name}.bias`, `${whole}_bias`],
        ]
      }),
    )
    return {
      config,
      ...llamaNames(rmsNorm('model.norm', hiddenSize, epsilon, 'hidden', 'normed')),
      stacked,
      block: (layer) => ({
        steps: [
          rmsNorm('input_layernorm', hiddenSize, epsilon, 'hidden', 'attentionInput'),
          ...separateAttention(config, {
            ...{ from: 'attentionInput', bias, rope, sinks: 'self_attn.sinks' },
            window: sliding(layer) ? window : null,
          }),
          addToHidden('attentionOutput'),
          rmsNorm('post_attention_layernorm', hiddenSize, epsilon, 'hidden', 'mlpInput'),
          floatLinear(ROUTER, [experts, hiddenSize], 'mlpInput', 'routerLogits', true),
          {
            step: 'route',
            ...{ from: 'routerLogits', to: 'routing', experts, chosen, score: 'softmax', normalized: true },
          },
          {
            step: 'experts',
            ...{ from: 'mlpInput', routing: 'routing', to: 'mlpOutput', experts, chosen },
            steps: expert(hiddenSize, intermediateSize, transposed),
          },
          addToHidden('mlpOutput'),
        ],
        scaleGroups: [
          ...selfAttentionGroups(),
          scaleGroup('norm', 'post_attention_layernorm', ROUTER, GATE_UP),
          scaleGroup('activation', `${DOWN}.input_scale`, DOWN),
        ],
      }),
    }
  },
}
