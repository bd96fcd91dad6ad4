/**
 * BLOOM (arXiv 2211.05100): linear biases instead of positions, a norm on the embeddings, query, key and value of each head
 * together in one projection.
 * @module
 */
import type { Architecture } from '../architecture.ts'
import { alibiSlopes } from '../emit-alibi.ts'
import { attend, inputScale, layerNorm, linear, plainMlp, plainMlpGroup, scaleGroup } from '../parts.ts'
import { readSizes } from '../read-sizes.ts'
import type { Step } from '../steps.ts'

const qkv = 'self_attention.query_key_value'
const mlp = ['mlp.dense_h_to_4h', 'mlp.dense_4h_to_h'] as const

export const bloom: Architecture = {
  modelTypes: ['bloom'],
  model(reader, modelType) {
    const width = reader.has('n_embed') ? 'n_embed' : 'hidden_size'
    const fields = { hiddenSize: width, heads: 'n_head', layers: 'n_layer', contextLength: 'seq_length' }
    const config = readSizes(reader, modelType, { intermediateFactor: 4, tied: true }, fields)
    const { hiddenSize, heads } = config
    const epsilon = reader.positive('layer_norm_epsilon', 1e-5)
    // The output of a norm goes on as the residual stream then, so that the norm takes no scale.
    const late = reader.flag('apply_residual_connection_post_layernorm', false)
    const norm = (weight: string, from: string, to: string) => layerNorm(weight, hiddenSize, epsilon, from, to)
    const before = (weight: string, consumer: string, to: string): Step[] =>
      late
        ? [norm(weight, 'hidden', 'hidden'), inputScale(consumer, hiddenSize, 'hidden', to)]
        : [norm(weight, 'hidden', to)]
    const taken = (weight: string, consumer: string) =>
      late ? scaleGroup('activation', `${consumer}.input_scale`, consumer) : scaleGroup('norm', weight, consumer)
    return {
      config,
      outer: {
        embedding: 'transformer.word_embeddings',
        embed: [norm('transformer.word_embeddings_layernorm', 'hidden', 'hidden')],
        norm: [norm('transformer.ln_f', 'hidden', 'normed')],
        head: 'lm_head',
      },
      prefix: 'transformer.',
      blockName: (layer) => `transformer.h.${layer}`,
      block: () => ({
        steps: [
          ...before('input_layernorm', qkv, 'attentionInput'),
          linear(qkv, [3 * hiddenSize, hiddenSize], 'attentionInput', 'qkv', true),
          {
            step: 'split',
            from: 'qkv',
            to: ['query', 'key', 'value'],
            widths: [hiddenSize, hiddenSize, hiddenSize],
            groups: heads,
          },
          attend(config, { rope: null, alibi: { slopes: alibiSlopes(heads) } }),
          linear('self_attention.dense', [hiddenSize, hiddenSize], 'attended', 'attentionOutput', true),
          { step: 'add', left: 'attentionOutput', right: 'hidden', to: 'hidden' },
          ...before('post_attention_layernorm', mlp[0], 'mlpInput'),
          ...plainMlp(config, { from: 'mlpInput', activation: 'geluTanh', names: mlp }),
          { step: 'add', left: 'mlpOutput', right: 'hidden', to: 'hidden' },
        ],
        scaleGroups: [
          taken('input_layernorm', qkv),
          scaleGroup('value', qkv, 'self_attention.dense'),
          taken('post_attention_layernorm', mlp[0]),
          plainMlpGroup('geluTanh', ...mlp),
        ],
      }),
    }
  },
}
