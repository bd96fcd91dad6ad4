/**
 * The text of a config.json.
 * @module
 */

/**
 * Fields that transformers 5 takes as floating-point numbers only: it refuses 4 where its own files have 4.0, which are the
 * same number in JSON.
 */
const FLOATS: ReadonlySet<string> = new Set([
  'attention_dropout',
  'attn_logit_softcapping',
  'clip_qkv',
  'embedding_fraction',
  'final_logit_softcapping',
  'init_std',
  'initializer_factor',
  'initializer_range',
  'layer_norm_eps',
  'layer_norm_epsilon',
  'logit_scale',
  'logit_scale_init_value',
  'norm_epsilon',
  'rms_norm_eps',
  'routed_scaling_factor',
  'router_aux_loss_coef',
  'router_jitter_noise',
  'softmax_scale',
])

/** A config.json as transformers reads it: numbers of fields that must be floating-point are written with a point. */
export const configText = (config: unknown): string =>
  `${JSON.stringify(config, null, 2)}\n`.replace(/^( *"(\w+)": -?\d+)(,?)$/gm, (line, start, field, end) =>
    FLOATS.has(field) ? `${start}.0${end}` : line,
  )
