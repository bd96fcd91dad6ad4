/**
 * A whole decoder as one ONNX graph: ids in, logits out, keys and values kept in a cache between runs.
 * @module
 */
import { Graph, int64s, type Value } from '@awq/onnx'
import type { AttentionForm } from './attention.ts'
import type { BlockBinding, OuterBinding } from './binding.ts'
import type { ModelDescription } from './describe.ts'
import { emitBlock } from './emit-block.ts'
import type { ExpertTokens } from './emit-experts.ts'
import { emitEmbed, emitHead } from './emit-outer.ts'
import type { Residual } from './norm.ts'
import { type ActivationType, declareSequence } from './sequence.ts'

/** How a decoder graph is emitted. */
export interface DecoderOptions {
  readonly attention: AttentionForm
  /** Type of activations and cache, `float32` by default. The binding must give its parameters in it. */
  readonly dtype?: ActivationType | undefined
  /** fused: make score rows whole instead of tile by tile, which is faster for single tokens on CPUs. Default false. */
  readonly wholeRows?: boolean | undefined
  /** Which tokens experts compute; default those routed to them. */
  readonly experts?: ExpertTokens | undefined
  /** The graph takes a single token at a time: for kernels that are right for no more. Default false. */
  readonly oneToken?: boolean | undefined
}

/** Supplies all parameters of a decoder. */
export interface DecoderBinding {
  readonly outer: OuterBinding
  readonly block: (layer: number) => BlockBinding
}

/**
 * Emits the decoder: one graph for prompts, single steps, and the logits of any tail of the new tokens.
 *
 * Inputs: `input_ids` int64 `[batch, sequence]`; `logits_from` int64 `[1]`, the first of the new tokens whose logits are
 * wanted (0: all, sequence - 1: the last, sequence: none); those of `declareSequence`; and for each layer `past.N.key`
 * and `past.N.value` `[batch, kvHeads, capacity, headDim]`. Outputs: `logits` float32
 * `[batch, sequence - logits_from, vocab]`, and for each layer `present.N.key` and `present.N.value`: the new rows
 * (plain) or the whole cache (fused; bind it to the buffer of the past).
 *
 * The last block computes nothing past its attention for tokens whose logits are not wanted.
 */
export const emitDecoder = (description: ModelDescription, binding: DecoderBinding, options: DecoderOptions): Graph => {
  const { attention, dtype = 'float32', wholeRows = false, experts, oneToken = false } = options
  const { config, blocks } = description
  const graph = new Graph(`${config.modelType}-decoder`)
  const ids = graph.input('input_ids', 'int64', oneToken ? [1, 1] : ['batch', 'sequence'])
  const logitsFrom = graph.input('logits_from', 'int64', [1])
  const sequence = { ...declareSequence(graph, description, attention, dtype), wholeRows }
  const wanted = (x: Value): Value =>
    graph.add(
      'Slice',
      [x, logitsFrom, int64s(graph, [2 ** 31 - 1]), int64s(graph, [1])],
      {},
      {
        shape: x.shape.map((dim, axis) => (axis === 1 ? 'rows' : dim)),
      },
    )
  let hidden: Residual = emitEmbed(graph, description, binding.outer, binding.outer.embed(graph, ids), sequence)
  for (const [layer, block] of blocks.entries()) {
    const { kvHeads, headDim, valueDim = headDim } = block.attention
    const cache = (width: number) => ['batch', kvHeads, 'capacity', width]
    const past = {
      key: graph.input(`past.${layer}.key`, dtype, cache(headDim)),
      value: graph.input(`past.${layer}.value`, dtype, cache(valueDim)),
    }
    const emitted = emitBlock(graph, block, {
      hidden,
      binding: binding.block(layer),
      attention,
      sequence,
      past,
      deferSums: true,
      experts,
      ...(layer === config.layers - 1 ? { wanted } : {}),
    })
    hidden = emitted.hidden
    graph.output(`present.${layer}.key`, emitted.key)
    graph.output(`present.${layer}.value`, emitted.value)
  }
  graph.output('logits', emitHead(graph, description, binding.outer, hidden))
  return graph
}
