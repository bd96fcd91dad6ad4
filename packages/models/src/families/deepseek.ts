/**
 * DeepSeek V2 (arXiv 2405.04434) and V3, R1 (arXiv 2412.19437): latent attention, whose keys and values come from one narrow
 * value, and many small experts with shared ones behind the first dense blocks.
 * @module
 */
import { readActivation } from '../activation.ts'
import type { Architecture } from '../architecture.ts'
import type { ConfigReader } from '../config-reader.ts'
import { readLatentAttention } from '../latent-attention.ts'
import { addToHidden, gatedMlp, llamaNames, rmsNorm, scaleGroup } from '../parts.ts'
import { type MixtureNames, mixture, mixtureGroups, mlpNames, readChosen } from '../parts-experts.ts'
import { readSizes } from '../read-sizes.ts'
import type { RouteStep } from '../steps.ts'

type Routing = Omit<RouteStep, 'step' | 'from' | 'to'>

/** Groups of experts: V2 judges them by their best expert, V3 by their two best ones. */
const readGroups = (reader: ConfigReader, experts: number, taken: number, best: number): Routing['groups'] => {
  const count = reader.size('n_group', 1)
  const chosen = reader.size('topk_group', 1)
  if (experts % count !== 0) reader.reject('n_group', `a divisor of the ${experts} experts`)
  if (chosen > count) reader.reject('topk_group', `at most the ${count} groups`)
  if (taken > (chosen * experts) / count) reader.reject('topk_group', `enough groups for ${taken} experts`)
  return count === 1 ? undefined : { count, chosen, best: Math.min(best, experts / count) }
}

const readRouting = (reader: ConfigReader, third: boolean): Routing => {
  const experts = reader.size('n_routed_experts', third ? 256 : 64)
  const common = {
    experts,
    chosen: readChosen(reader, experts, third ? 8 : undefined),
    factor: reader.positive('routed_scaling_factor', third ? 2.5 : 1),
  }
  reader.only('scoring_func', third ? 'sigmoid' : 'softmax')
  if (third) {
    reader.only('topk_method', 'noaux_tc')
    const normalized = reader.flag('norm_topk_prob', true)
    const groups = readGroups(reader, experts, common.chosen, 2)
    return { ...common, score: 'sigmoid', correction: 'mlp.gate.e_score_correction_bias', groups, normalized }
  }
  reader.only('norm_topk_prob', false)
  const method = reader.text('topk_method', 'greedy')
  if (method !== 'greedy' && method !== 'group_limited_greedy')
    return reader.unsupported('topk_method', 'greedy, group_limited_greedy')
  const groups = method === 'greedy' ? undefined : readGroups(reader, experts, common.chosen, 1)
  return { ...common, score: 'softmax', groups, normalized: false }
}

export const deepseek: Architecture = {
  modelTypes: ['deepseek_v2', 'deepseek_v3'],
  model(reader, modelType) {
    const third = modelType === 'deepseek_v3'
    const sizes = readSizes(reader, modelType, { contextLength: third ? 4096 : 2048 })
    const latent = readLatentAttention(reader, sizes, third ? reader.flag('rope_interleave', true) : true)
    const config = { ...sizes, kvHeads: sizes.heads, headDim: latent.headDim }
    const { hiddenSize } = config
    const epsilon = reader.positive('rms_norm_eps', 1e-6)
    const activation = readActivation(reader, 'hidden_act')
    if (!third) reader.only('mlp_bias', false)
    reader.only('moe_layer_freq', 1)
    const firstSparse = reader.count('first_k_dense_replace', third ? 3 : 0)
    const route = readRouting(reader, third)
    const width = reader.size('moe_intermediate_size', third ? 2048 : 1407)
    const shared = reader.count('n_shared_experts', third ? 1 : 2)
    const names: MixtureNames = {
      router: 'mlp.gate',
      names: mlpNames('mlp.experts.*'),
      ...(shared > 0 ? { shared: { names: mlpNames('mlp.shared_experts'), width: shared * width } } : {}),
    }
    const [gate, up, down] = mlpNames('mlp')
    return {
      config,
      ...llamaNames(rmsNorm('model.norm', hiddenSize, epsilon, 'hidden', 'normed')),
      // Blocks that predict further tokens while training.
      extraBlocks: reader.count('num_nextn_predict_layers', 0),
      block: (layer) => ({
        steps: [
          rmsNorm('input_layernorm', hiddenSize, epsilon, 'hidden', 'attentionInput'),
          ...latent.steps,
          addToHidden('attentionOutput'),
          rmsNorm('post_attention_layernorm', hiddenSize, epsilon, 'hidden', 'mlpInput'),
          ...(layer < firstSparse
            ? gatedMlp(config, { from: 'mlpInput', activation })
            : mixture({ from: 'mlpInput', hiddenSize, width, activation, ...names, ...route })),
          addToHidden('mlpOutput'),
        ],
        scaleGroups: [
          ...latent.groups('input_layernorm'),
          ...(layer < firstSparse
            ? [scaleGroup('norm', 'post_attention_layernorm', gate, up), scaleGroup('linear', up, down)]
            : mixtureGroups('post_attention_layernorm', names)),
        ],
      }),
    }
  },
}
