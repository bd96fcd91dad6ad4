/**
 * OLMo (arXiv 2402.00838): as Llama with norms that have no weights, queries, keys and values that may be clipped; OLMo 2 (arXiv
 * 2501.00656): norms behind attention and MLP instead of before them, and on all of the query and key.
 * @module
 */
import { readActivation } from '../activation.ts'
import type { Architecture } from '../architecture.ts'
import {
  addToHidden,
  gatedMlp,
  inputScale,
  layerNorm,
  llamaNames,
  rmsNorm,
  scaleGroup,
  separateAttention,
} from '../parts.ts'
import { readRope } from '../read-rope.ts'
import { readSizes } from '../read-sizes.ts'
import type { NormStep, Step } from '../steps.ts'

export const olmo: Architecture = {
  modelTypes: ['olmo', 'olmo2'],
  model(reader, modelType) {
    const second = modelType === 'olmo2'
    const config = readSizes(reader, modelType)
    const { hiddenSize, heads, kvHeads, headDim } = config
    const epsilon = second ? reader.positive('rms_norm_eps', 1e-5) : 1e-5
    const activation = readActivation(reader, 'hidden_act')
    const rope = readRope(reader, config)
    const bias = reader.flag('attention_bias', false)
    const limit = second ? null : reader.optional('clip_qkv')
    const norm = (weight: string, from: string, to: string, width = hiddenSize): NormStep =>
      second
        ? rmsNorm(weight, width, epsilon, from, to)
        : { ...layerNorm(weight, width, epsilon, from, to, false), weight: null }
    const clamp = (from: string, to: string): Step => ({ step: 'clamp', limit: limit!, from, to })
    const projected = { query: 'changedQuery', key: 'changedKey' }
    const changes = second
      ? {
          ...projected,
          between: [
            norm('self_attn.q_norm', 'query', 'changedQuery', heads * headDim),
            norm('self_attn.k_norm', 'key', 'changedKey', kvHeads * headDim),
          ],
        }
      : limit === null
        ? {}
        : {
            ...projected,
            value: 'changedValue',
            between: [clamp('query', 'changedQuery'), clamp('key', 'changedKey'), clamp('value', 'changedValue')],
          }
    // No norm in front of a linear has a weight of its own, so inputs take vectors.
    const before = (inputs: string, to: string): Step[] =>
      second
        ? [inputScale(inputs, hiddenSize, 'hidden', to)]
        : [norm('', 'hidden', `${to}Normed`), inputScale(inputs, hiddenSize, `${to}Normed`, to)]
    const behind = (weight: string, value: string): Step[] =>
      second ? [norm(weight, value, `${value}Normed`), addToHidden(`${value}Normed`)] : [addToHidden(value)]
    return {
      config,
      ...llamaNames(norm('model.norm', 'hidden', 'normed')),
      block: () => ({
        steps: [
          ...before('self_attn', 'attentionInput'),
          ...separateAttention(config, { from: 'attentionInput', bias, rope, ...changes }),
          ...behind('post_attention_layernorm', 'attentionOutput'),
          ...before('mlp', 'mlpInput'),
          ...gatedMlp(config, { from: 'mlpInput', activation }),
          ...behind('post_feedforward_layernorm', 'mlpOutput'),
        ],
        scaleGroups: [
          scaleGroup('activation', 'self_attn.input_scale', 'self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'),
          ...(limit === null ? [scaleGroup('value', 'self_attn.v_proj', 'self_attn.o_proj')] : []),
          scaleGroup('activation', 'mlp.input_scale', 'mlp.gate_proj', 'mlp.up_proj'),
          scaleGroup('linear', 'mlp.up_proj', 'mlp.down_proj'),
        ],
      }),
    }
  },
}
