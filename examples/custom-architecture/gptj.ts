/**
 * A family that is not built in: GPT-J (EleutherAI, 2021), as one table. docs/custom-architecture.md explains it line by
 * line.
 */
import {
  type Architecture,
  layerNorm,
  type ModelConfig,
  plainMlp,
  type RopeSpec,
  readActivation,
  separateAttention,
} from '@awq/models'

export const gptj: Architecture = {
  modelTypes: ['gptj'],
  model(reader, modelType) {
    const hiddenSize = reader.size('n_embd')
    const heads = reader.size('n_head')
    const config: ModelConfig = {
      modelType,
      hiddenSize,
      embeddingSize: hiddenSize,
      intermediateSize: reader.size('n_inner', 4 * hiddenSize),
      layers: reader.size('n_layer'),
      heads,
      kvHeads: heads,
      headDim: hiddenSize / heads,
      vocabSize: reader.size('vocab_size'),
      contextLength: reader.size('n_positions', 2048),
      tiedEmbeddings: reader.flag('tie_word_embeddings', false),
    }
    const epsilon = reader.positive('layer_norm_epsilon', 1e-5)
    const activation = readActivation(reader, 'activation_function', 'gelu_new')
    const width = reader.size('rotary_dim', 64)
    const rope: RopeSpec = { theta: 10000, scaling: { type: 'default' }, width, interleaved: true }
    const [query, key, value, output] = ['attn.q_proj', 'attn.k_proj', 'attn.v_proj', 'attn.out_proj'] as const
    return {
      config,
      outer: {
        embedding: 'transformer.wte',
        norm: [layerNorm('transformer.ln_f', hiddenSize, epsilon, 'hidden', 'normed')],
        head: 'lm_head',
        headBias: true,
      },
      blockName: (layer) => `transformer.h.${layer}`,
      ignored: ['attn.bias', 'attn.masked_bias'],
      block: () => ({
        steps: [
          layerNorm('ln_1', hiddenSize, epsilon, 'hidden', 'normed'),
          ...separateAttention(config, { from: 'normed', rope, names: [query, key, value, output] }),
          ...plainMlp(config, { from: 'normed', activation, names: ['mlp.fc_in', 'mlp.fc_out'] }),
          { step: 'add', left: 'hidden', right: 'attentionOutput', to: 'attended hidden' },
          { step: 'add', left: 'attended hidden', right: 'mlpOutput', to: 'hidden' },
        ],
        scaleGroups: [
          { kind: 'norm', producer: 'ln_1', consumers: [query, key, value, 'mlp.fc_in'] },
          { kind: 'value', producer: value, consumers: [output] },
          { kind: 'activation', producer: 'mlp.fc_out.input_scale', consumers: ['mlp.fc_out'] },
        ],
      }),
    }
  },
}
