/**
 * InternLM2 (arXiv 2403.17297): as Llama; query, key and value lie together in one projection, the query heads that share a key
 * head in front of it.
 * @module
 */
import { readActivation } from '../activation.ts'
import type { Architecture } from '../architecture.ts'
import { addToHidden, attend, gatedMlp, linear, rmsNorm, scaleGroup } from '../parts.ts'
import { readRope } from '../read-rope.ts'
import { readSizes } from '../read-sizes.ts'

const mlp = ['feed_forward.w1', 'feed_forward.w3', 'feed_forward.w2'] as const

export const internlm2: Architecture = {
  modelTypes: ['internlm2'],
  model(reader, modelType) {
    const sizes = readSizes(reader, modelType)
    const { hiddenSize, heads, kvHeads } = sizes
    const config = { ...sizes, headDim: Math.floor(hiddenSize / heads) }
    const [queries, keys] = [heads * config.headDim, kvHeads * config.headDim]
    const epsilon = reader.positive('rms_norm_eps', 1e-6)
    const activation = readActivation(reader, 'hidden_act')
    const bias = reader.flag('bias', true)
    const rope = readRope(reader, config)
    return {
      config,
      outer: {
        embedding: 'model.tok_embeddings',
        norm: [rmsNorm('model.norm', hiddenSize, epsilon, 'hidden', 'normed')],
        head: 'output',
      },
      prefix: 'model.',
      blockName: (layer) => `model.layers.${layer}`,
      block: () => ({
        steps: [
          rmsNorm('attention_norm', hiddenSize, epsilon, 'hidden', 'attentionInput'),
          linear('attention.wqkv', [queries + 2 * keys, hiddenSize], 'attentionInput', 'qkv', bias),
          {
            step: 'split',
            from: 'qkv',
            to: ['query', 'key', 'value'],
            widths: [queries, keys, keys],
            groups: kvHeads,
          },
          attend(config, { rope }),
          linear('attention.wo', [hiddenSize, queries], 'attended', 'attentionOutput', bias),
          addToHidden('attentionOutput'),
          rmsNorm('ffn_norm', hiddenSize, epsilon, 'hidden', 'mlpInput'),
          ...gatedMlp(config, { from: 'mlpInput', activation, names: mlp }),
          addToHidden('mlpOutput'),
        ],
        scaleGroups: [
          scaleGroup('norm', 'attention_norm', 'attention.wqkv'),
          scaleGroup('value', 'attention.wqkv', 'attention.wo'),
          scaleGroup('norm', 'ffn_norm', mlp[0], mlp[1]),
          scaleGroup('linear', mlp[1], mlp[2]),
        ],
      }),
    }
  },
}
