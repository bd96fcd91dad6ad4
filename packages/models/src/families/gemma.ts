/**
 * Gemma 1 to 3 (arXiv 2403.08295, 2408.00118, 2503.19786): embeddings times sqrt(hidden), norms that multiply by one plus
 * their weight. From 2 on norms behind attention and MLP, layers that attend within a window, soft caps; in 3 norms on the
 * heads of query and key, and a rotary base of its own for windowed layers.
 * @module
 */
import { readActivation } from '../activation.ts'
import type { Architecture } from '../architecture.ts'
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
import { readRope } from '../read-rope.ts'
import { readSizes, type SizeDefaults } from '../read-sizes.ts'
import { gemmaFileNames, gemmaVision } from '../vision/gemma-vision.ts'

/** What `config.json` may leave out; files of Gemma 3 that hold an image model too leave out most. */
const defaults: Readonly<Record<string, SizeDefaults>> = {
  gemma: { contextLength: 8192 },
  gemma2: { contextLength: 8192 },
  gemma3_text: {
    ...{ contextLength: 131072, heads: 8, kvHeads: 4, vocabSize: 262208, hiddenSize: 2304 },
    ...{ layers: 26, intermediateSize: 9216 },
  },
}
/** Every so many layers one sees all positions. */
const patterns: Readonly<Record<string, number>> = { gemma: 1, gemma2: 2, gemma3_text: 6 }
const softCaps: Readonly<Record<string, readonly [scores: number, logits: number]>> = { gemma2: [50, 30] }

export const gemma: Architecture = {
  modelTypes: ['gemma', 'gemma2', 'gemma3_text', 'gemma3'],
  model(outer, type) {
    const vision = type === 'gemma3' ? outer.object('vision_config') : undefined
    // The text model of one that sees.
    const reader = type === 'gemma3' ? (outer.object('text_config') ?? outer.reject('text_config', 'an object')) : outer
    const modelType = type === 'gemma3' ? 'gemma3_text' : type
    const [first, third] = [modelType === 'gemma', modelType === 'gemma3_text']
    const config = {
      ...readSizes(reader, type, { ...defaults[modelType], headDim: 256, tied: true }),
      ...(type === 'gemma3' ? { tiedEmbeddings: outer.flag('tie_word_embeddings', true) } : {}),
    }
    const { hiddenSize, layers, headDim } = config
    const epsilon = reader.positive('rms_norm_eps', 1e-6)
    const norm = (weight: string, from: string, to: string) => rmsNorm(weight, hiddenSize, epsilon, from, to, 1)
    // Files of Gemma 1 have either name, or both: then the newer one is what it was trained with.
    const field = reader.has('hidden_activation') || !first ? 'hidden_activation' : 'hidden_act'
    const activation = readActivation(reader, field, 'gelu_pytorch_tanh')
    const bias = reader.flag('attention_bias', false)
    reader.only('use_bidirectional_attention', false)
    const [scoreCap, logitCap] = softCaps[modelType] ?? []
    // transformers caps scores in 2 alone, and logits in 2 and in the 3 that reads text alone, whatever the file says.
    const softCap = modelType === 'gemma2' ? reader.optional('attn_logit_softcapping', scoreCap) : null
    const cap = first || type === 'gemma3' ? null : reader.optional('final_logit_softcapping', logitCap)
    const scale = first ? headDim ** -0.5 : reader.positive('query_pre_attn_scalar', 256) ** -0.5
    const pattern = third ? reader.size('sliding_window_pattern', 6) : patterns[modelType]!
    const sliding = first ? () => false : readSlidingLayers(reader, layers, (layer) => (layer + 1) % pattern !== 0)
    const window = first ? null : readWindow(reader, 4096)
    const kinds = third ? reader.object('rope_parameters') : undefined
    const whole = kinds?.object('full_attention')
    const theta = third ? (whole?.positive('rope_theta', 1e6) ?? 1e6) : 10000
    const rope = readRope(reader, { ...config, theta, parameters: reader.object('rope_scaling') ?? whole })
    const own = { ...config, theta: reader.positive('rope_local_base_freq', 10000) }
    const plain = { ...rope, theta: own.theta, scaling: { type: 'default' } } as const
    const local = kinds?.object('sliding_attention')
    const localRope = !third ? rope : local ? readRope(reader, { ...own, parameters: local }) : plain
    return {
      config,
      ...llamaNames(norm('model.norm', 'hidden', 'normed'), {
        embed: [{ step: 'factor', factor: Math.fround(hiddenSize ** 0.5), from: 'hidden', to: 'hidden' }],
        logits: cap === null ? [] : [{ step: 'softCap', cap, from: 'logits', to: 'logits' }],
      }),
      aliases: {
        'language_model.model.': 'model.',
        'model.language_model.': 'model.',
        'language_model.lm_head.': 'lm_head.',
      },
      ...(type === 'gemma3' ? { fileNames: gemmaFileNames } : {}),
      ...(vision ? { vision: () => gemmaVision(outer, vision, hiddenSize) } : {}),
      block(layer) {
        const windowed = sliding(layer)
        const attention = separateAttention(config, {
          from: 'attentionInput',
          ...{ bias, scale, softCap, rope: windowed ? localRope : rope, window: windowed ? window : null },
          ...(third ? headNorms(config, { norm: 'rms', epsilon, offset: 1 }) : {}),
        })
        const mlp = gatedMlp(config, { from: 'mlpInput', activation })
        const before = first ? 'post_attention_layernorm' : 'pre_feedforward_layernorm'
        const behind = (weight: string, value: string) =>
          first ? [addToHidden(value)] : [norm(weight, value, `${value}Normed`), addToHidden(`${value}Normed`)]
        return {
          steps: [
            norm('input_layernorm', 'hidden', 'attentionInput'),
            ...attention,
            ...behind('post_attention_layernorm', 'attentionOutput'),
            norm(before, 'hidden', 'mlpInput'),
            ...mlp,
            ...behind('post_feedforward_layernorm', 'mlpOutput'),
          ],
          scaleGroups: llamaGroups('input_layernorm', before),
        }
      },
    }
  },
}
