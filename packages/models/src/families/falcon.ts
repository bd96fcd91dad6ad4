/**
 * Falcon (arXiv 2311.16867): 7B with one key head and attention beside the MLP, the new decoder of 40B and 180B with grouped
 * heads, and the first models with linear biases and one after the other.
 * @module
 */
import { readActivation } from '../activation.ts'
import type { Architecture } from '../architecture.ts'
import { alibiSlopes } from '../emit-alibi.ts'
import { addToHidden, attend, layerNorm, linear, plainMlp, plainMlpGroup, scaleGroup, sum } from '../parts.ts'
import { readRope } from '../read-rope.ts'
import { readSizes } from '../read-sizes.ts'

const qkv = 'self_attention.query_key_value'
const mlp = ['mlp.dense_h_to_4h', 'mlp.dense_4h_to_h'] as const

export const falcon: Architecture = {
  modelTypes: ['falcon'],
  model(reader, modelType) {
    const sizes = readSizes(
      reader,
      modelType,
      { intermediateFactor: 4, tied: true },
      { intermediateSize: 'ffn_hidden_size' },
    )
    const { hiddenSize, heads } = sizes
    const renewed = reader.flag('new_decoder_architecture', false)
    const single = !renewed && reader.flag('multi_query', true)
    const kvHeads = single ? 1 : renewed ? reader.size('num_kv_heads', heads) : heads
    const config = { ...sizes, kvHeads, headDim: Math.floor(hiddenSize / heads) }
    const [queries, keys] = [heads * config.headDim, kvHeads * config.headDim]
    const parallel = reader.flag('parallel_attn', true)
    if (renewed) reader.only('parallel_attn', true)
    const norms = reader.size('num_ln_in_parallel_attn', renewed ? 2 : 1)
    if (norms > 2 || (norms === 2 && !renewed))
      reader.unsupported('num_ln_in_parallel_attn', '1, or 2 in the new decoder')
    const epsilon = reader.positive('layer_norm_epsilon', 1e-5)
    const activation = readActivation(reader, 'activation', 'gelu')
    const bias = reader.flag('bias', false)
    const biased = reader.flag('alibi', false)
    const rope = biased ? null : readRope(reader, config)
    const norm = (weight: string, from: string, to: string) => layerNorm(weight, hiddenSize, epsilon, from, to)
    const apart = parallel && norms === 2
    const first = apart ? 'ln_attn' : 'input_layernorm'
    const second = apart ? 'ln_mlp' : 'post_attention_layernorm'
    const shared = parallel && !apart
    return {
      config,
      outer: {
        embedding: 'transformer.word_embeddings',
        norm: [norm('transformer.ln_f', 'hidden', 'normed')],
        head: 'lm_head',
      },
      prefix: 'transformer.',
      blockName: (layer) => `transformer.h.${layer}`,
      block: () => ({
        steps: [
          norm(first, 'hidden', 'attentionInput'),
          linear(qkv, [queries + 2 * keys, hiddenSize], 'attentionInput', 'qkv', bias),
          {
            step: 'split',
            from: 'qkv',
            to: ['query', 'key', 'value'],
            widths: [queries, keys, keys],
            ...(single ? {} : { groups: kvHeads }),
          },
          attend(config, {
            rope,
            alibi: biased ? { slopes: alibiSlopes(heads), bfloat16: true, scaled: true } : null,
          }),
          linear('self_attention.dense', [hiddenSize, queries], 'attended', 'attentionOutput', bias),
          ...(parallel ? [] : [addToHidden('attentionOutput')]),
          ...(shared ? [] : [norm(second, 'hidden', 'mlpInput')]),
          ...plainMlp(config, { from: shared ? 'attentionInput' : 'mlpInput', activation, bias, names: mlp }),
          ...(parallel ? sum(['mlpOutput', 'attentionOutput', 'hidden'], 'hidden') : [addToHidden('mlpOutput')]),
        ],
        scaleGroups: [
          scaleGroup('norm', first, qkv, ...(shared ? [mlp[0]] : [])),
          scaleGroup('value', qkv, 'self_attention.dense'),
          ...(shared ? [] : [scaleGroup('norm', second, mlp[0])]),
          plainMlpGroup(activation, ...mlp),
        ],
      }),
    }
  },
}
