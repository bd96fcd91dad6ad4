/**
 * Blocks of vision transformers as steps (arXiv 2010.11929).
 * @module
 */
import type { Activation } from '../activation.ts'
import { addToHidden, layerNorm, linear } from '../parts.ts'
import type { AttentionStep, Step } from '../steps.ts'

/** Attention of all tokens to all, over values `query`, `key` and `value`, to `attended`. */
export const attendToAll = (hiddenSize: number, heads: number): AttentionStep => ({
  step: 'attention',
  ...{ query: 'query', key: 'key', value: 'value', to: 'attended' },
  ...{ heads, kvHeads: heads, headDim: hiddenSize / heads, scale: (hiddenSize / heads) ** -0.5 },
  ...{ rope: null, window: null, softCap: null, alibi: null },
})

/** What decides a block of CLIP's and SigLIP's kind. */
export interface PreNormBlock {
  readonly hiddenSize: number
  readonly intermediateSize: number
  readonly heads: number
  readonly epsilon: number
  readonly activation: Activation
}

/** A block of CLIP and SigLIP: norms in front of attention and MLP, biases everywhere. @param name its prefix */
export const preNormBlock = (name: string, block: PreNormBlock): Step[] => {
  const { hiddenSize, intermediateSize, heads, epsilon, activation } = block
  const square = [hiddenSize, hiddenSize] as const
  return [
    layerNorm(`${name}.layer_norm1`, hiddenSize, epsilon, 'hidden', 'attentionInput'),
    linear(`${name}.self_attn.q_proj`, square, 'attentionInput', 'query', true),
    linear(`${name}.self_attn.k_proj`, square, 'attentionInput', 'key', true),
    linear(`${name}.self_attn.v_proj`, square, 'attentionInput', 'value', true),
    attendToAll(hiddenSize, heads),
    linear(`${name}.self_attn.out_proj`, square, 'attended', 'attentionOutput', true),
    addToHidden('attentionOutput'),
    layerNorm(`${name}.layer_norm2`, hiddenSize, epsilon, 'hidden', 'mlpInput'),
    linear(`${name}.mlp.fc1`, [intermediateSize, hiddenSize], 'mlpInput', 'up', true),
    { step: 'activation', activation, from: 'up', to: 'activated' },
    linear(`${name}.mlp.fc2`, [hiddenSize, intermediateSize], 'activated', 'mlpOutput', true),
    addToHidden('mlpOutput'),
  ]
}
