/**
 * Llama 1 to 3, Mistral, SmolLM2, TinyLlama, Vicuna: pre-norm blocks, rotary attention with shared key/value heads,
 * gated MLP (arXiv 2302.13971, 2307.09288, 2310.06825).
 * @module
 */
import { readActivation } from '../activation.ts'
import type { Architecture } from '../architecture.ts'
import { readRope } from '../rope.ts'

export const llama: Architecture = {
  modelTypes: ['llama', 'mistral'],
  config(reader, modelType) {
    const heads = reader.size('num_attention_heads')
    const hiddenSize = reader.size('hidden_size')
    return {
      modelType,
      hiddenSize,
      intermediateSize: reader.size('intermediate_size'),
      layers: reader.size('num_hidden_layers'),
      heads,
      kvHeads: reader.size('num_key_value_heads', heads),
      headDim: reader.size('head_dim', Math.floor(hiddenSize / heads)),
      vocabSize: reader.size('vocab_size'),
      contextLength: reader.size('max_position_embeddings', modelType === 'mistral' ? 131072 : 2048),
      normEpsilon: reader.positive('rms_norm_eps', 1e-6),
      tiedEmbeddings: reader.flag('tie_word_embeddings', false),
      activation: readActivation(reader, 'hidden_act'),
      attentionBias: reader.flag('attention_bias', false),
      mlpBias: reader.flag('mlp_bias', false),
      rope: readRope(reader),
      slidingWindow: reader.has('sliding_window') ? reader.size('sliding_window') : null,
    }
  },
  names: {
    embedding: 'model.embed_tokens',
    finalNorm: 'model.norm',
    head: 'lm_head',
    block: (layer) => `model.layers.${layer}`,
  },
  block({ hiddenSize, intermediateSize, heads, kvHeads, headDim, attentionBias, mlpBias }) {
    const attention = { from: 'attentionInput', columns: hiddenSize, bias: attentionBias } as const
    const mlp = { from: 'mlpInput', rows: intermediateSize, columns: hiddenSize, bias: mlpBias } as const
    return [
      { step: 'rmsNorm', weight: 'input_layernorm', from: 'hidden', to: 'attentionInput' },
      { step: 'linear', weight: 'self_attn.q_proj', ...attention, rows: heads * headDim, to: 'query' },
      { step: 'linear', weight: 'self_attn.k_proj', ...attention, rows: kvHeads * headDim, to: 'key' },
      { step: 'linear', weight: 'self_attn.v_proj', ...attention, rows: kvHeads * headDim, to: 'value' },
      { step: 'attention', query: 'query', key: 'key', value: 'value', to: 'attended' },
      {
        step: 'linear',
        weight: 'self_attn.o_proj',
        from: 'attended',
        to: 'attentionOutput',
        rows: hiddenSize,
        columns: heads * headDim,
        bias: attentionBias,
      },
      { step: 'add', left: 'hidden', right: 'attentionOutput', to: 'hidden' },
      { step: 'rmsNorm', weight: 'post_attention_layernorm', from: 'hidden', to: 'mlpInput' },
      { step: 'linear', weight: 'mlp.gate_proj', ...mlp, to: 'gate' },
      { step: 'linear', weight: 'mlp.up_proj', ...mlp, to: 'up' },
      { step: 'activation', from: 'gate', to: 'activated' },
      { step: 'multiply', left: 'activated', right: 'up', to: 'gated' },
      {
        step: 'linear',
        weight: 'mlp.down_proj',
        from: 'gated',
        to: 'mlpOutput',
        rows: hiddenSize,
        columns: intermediateSize,
        bias: mlpBias,
      },
      { step: 'add', left: 'hidden', right: 'mlpOutput', to: 'hidden' },
    ]
  },
  scaleGroups: [
    {
      kind: 'norm',
      producer: 'input_layernorm',
      consumers: ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'],
    },
    { kind: 'value', producer: 'self_attn.v_proj', consumers: ['self_attn.o_proj'] },
    { kind: 'norm', producer: 'post_attention_layernorm', consumers: ['mlp.gate_proj', 'mlp.up_proj'] },
    { kind: 'linear', producer: 'mlp.up_proj', consumers: ['mlp.down_proj'] },
  ],
}
