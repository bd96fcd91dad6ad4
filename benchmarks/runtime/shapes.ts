/**
 * The shapes of known models, as their config.json has them.
 * @module
 */

const llama = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  rms_norm_eps: 1e-5,
  hidden_act: 'silu',
  attention_bias: false,
  mlp_bias: false,
  bos_token_id: 1,
  eos_token_id: 2,
  torch_dtype: 'float16',
}

/** The shapes by name. */
export const shapes: Readonly<
  Record<string, { readonly num_hidden_layers: number; readonly [field: string]: unknown }>
> = {
  'smollm2-135m': {
    ...llama,
    hidden_size: 576,
    intermediate_size: 1536,
    num_hidden_layers: 30,
    num_attention_heads: 9,
    num_key_value_heads: 3,
    head_dim: 64,
    rope_theta: 100000,
    max_position_embeddings: 8192,
    vocab_size: 49152,
    tie_word_embeddings: true,
  },
  'llama-3.2-1b': {
    ...llama,
    hidden_size: 2048,
    intermediate_size: 8192,
    num_hidden_layers: 16,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    head_dim: 64,
    rope_theta: 500000,
    max_position_embeddings: 8192,
    vocab_size: 128256,
    tie_word_embeddings: true,
  },
  'llama-7b': {
    ...llama,
    hidden_size: 4096,
    intermediate_size: 11008,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 32,
    head_dim: 128,
    rope_theta: 10000,
    max_position_embeddings: 4096,
    vocab_size: 32000,
    tie_word_embeddings: false,
  },
}
