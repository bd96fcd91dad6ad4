/**
 * OPT (arXiv 2205.01068): learned positions from the third row on, layer norms before attention and MLP (in the 350M model
 * behind them, with embeddings narrower than the residual stream), ReLU.
 * @module
 */
import { readActivation } from '../activation.ts'
import type { Architecture } from '../architecture.ts'
import {
  addToHidden,
  inputScale,
  layerNorm,
  linear,
  plainMlp,
  plainMlpGroup,
  scaleGroup,
  separateAttention,
} from '../parts.ts'
import { readSizes } from '../read-sizes.ts'
import type { NormStep } from '../steps.ts'

const projections = ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj', 'self_attn.out_proj'] as const

export const opt: Architecture = {
  modelTypes: ['opt'],
  model(reader, modelType) {
    const sizes = readSizes(reader, modelType, { tied: true }, { intermediateSize: 'ffn_dim' })
    const { hiddenSize, contextLength } = sizes
    const embeddingSize = reader.size('word_embed_proj_dim', hiddenSize)
    const config = { ...sizes, embeddingSize, kvHeads: sizes.heads, headDim: Math.floor(hiddenSize / sizes.heads) }
    const projected = embeddingSize !== hiddenSize
    const activation = readActivation(reader, 'activation_function', 'relu')
    const first = reader.flag('do_layer_norm_before', true)
    const finalNorm = first && !reader.flag('_remove_final_layer_norm', false)
    const bias = reader.flag('enable_bias', true)
    const affine = reader.flag('layer_norm_elementwise_affine', true)
    const norm = (weight: string, from: string, to: string): NormStep =>
      affine
        ? layerNorm(weight, hiddenSize, 1e-5, from, to)
        : { ...layerNorm(weight, hiddenSize, 1e-5, from, to, false), weight: null }
    const positions = { table: 'model.decoder.embed_positions.weight', rows: contextLength + 2, offset: 2 }
    const from = finalNorm ? 'normed' : 'hidden'
    const inputs = { attention: 'self_attn.input', mlp: 'fc1' }
    // Where a norm has no weight, or its output goes on as the residual stream too, the input takes a vector of its own.
    const absorbs = first && affine
    return {
      config,
      outer: {
        embedding: 'model.decoder.embed_tokens',
        embed: [
          ...(projected ? [linear('model.decoder.project_in', [hiddenSize, embeddingSize], 'hidden', 'hidden')] : []),
          { step: 'positions', ...positions, width: hiddenSize, from: 'hidden', to: 'hidden' },
        ],
        norm: [
          ...(finalNorm ? [norm('model.decoder.final_layer_norm', 'hidden', 'normed')] : []),
          ...(projected ? [linear('model.decoder.project_out', [embeddingSize, hiddenSize], from, 'projected')] : []),
        ],
        head: 'lm_head',
      },
      prefix: 'model.',
      blockName: (layer) => `model.decoder.layers.${layer}`,
      block: () => {
        const before = (weight: string, consumer: string, to: string) => {
          const made = first ? [norm(weight, 'hidden', absorbs ? to : `${to}Normed`)] : []
          return absorbs ? made : [...made, inputScale(consumer, hiddenSize, first ? `${to}Normed` : 'hidden', to)]
        }
        const behind = (weight: string) => (first ? [] : [norm(weight, 'hidden', 'hidden')])
        const taken = (weight: string, consumer: string, ...consumers: string[]) =>
          absorbs
            ? scaleGroup('norm', weight, ...consumers)
            : scaleGroup('activation', `${consumer}.input_scale`, ...consumers)
        return {
          steps: [
            ...before('self_attn_layer_norm', inputs.attention, 'attentionInput'),
            ...separateAttention(config, { from: 'attentionInput', bias, rope: null, names: projections }),
            addToHidden('attentionOutput'),
            ...behind('self_attn_layer_norm'),
            ...before('final_layer_norm', inputs.mlp, 'mlpInput'),
            ...plainMlp(config, { from: 'mlpInput', activation, bias, names: ['fc1', 'fc2'] }),
            addToHidden('mlpOutput'),
            ...behind('final_layer_norm'),
          ],
          scaleGroups: [
            taken('self_attn_layer_norm', inputs.attention, ...projections.slice(0, 3)),
            scaleGroup('value', 'self_attn.v_proj', 'self_attn.out_proj'),
            taken('final_layer_norm', inputs.mlp, 'fc1'),
            plainMlpGroup(activation, 'fc1', 'fc2'),
          ],
        }
      },
    }
  },
}
