/**
 * A whole decoder as one ONNX graph: ids in, logits out, keys and values kept in a cache between runs.
 * @module
 */
import { Graph, slice, type Value } from '@awq/onnx'
import type { AttentionForm } from './attention.ts'
import type { BlockBinding, OuterBinding } from './binding.ts'
import type { ModelDescription } from './describe.ts'
import { emitBlock, emitRmsNorm } from './emit-block.ts'
import { declareSequence } from './sequence.ts'

/** How a decoder graph is emitted. */
export interface DecoderOptions {
  readonly attention: AttentionForm
  /** `last`: logits of the last position `[batch, 1, vocab]`; `all`: of every position. */
  readonly logits: 'last' | 'all'
}

/** Supplies all parameters of a decoder. */
export interface DecoderBinding {
  readonly outer: OuterBinding
  readonly block: (layer: number) => BlockBinding
}

/** Final norm and head: `[batch, sequence, hidden]` to logits. */
export const emitHead = (graph: Graph, description: ModelDescription, binding: OuterBinding, hidden: Value): Value =>
  binding.head(graph, emitRmsNorm(graph, hidden, binding.finalNorm(graph), description.config.normEpsilon))

/**
 * Emits the decoder.
 *
 * Inputs: `input_ids` int64 `[batch, sequence]`, those of `declareSequence`, and for each layer `past.N.key` and
 * `past.N.value` float32 `[batch, kvHeads, capacity, headDim]`. Outputs: `logits`, and for each layer `present.N.key`
 * and `present.N.value`: the new rows (plain) or the whole cache (fused; bind it to the buffer of the past).
 */
export const emitDecoder = (description: ModelDescription, binding: DecoderBinding, options: DecoderOptions): Graph => {
  const { config } = description
  const graph = new Graph(`${config.modelType}-decoder`)
  const ids = graph.input('input_ids', 'int64', ['batch', 'sequence'])
  const sequence = declareSequence(graph, config, options.attention)
  const cacheShape = ['batch', config.kvHeads, 'capacity', config.headDim]
  let hidden = binding.outer.embed(graph, ids)
  for (let layer = 0; layer < config.layers; layer++) {
    const past = {
      key: graph.input(`past.${layer}.key`, 'float32', cacheShape),
      value: graph.input(`past.${layer}.value`, 'float32', cacheShape),
    }
    const block = emitBlock(graph, description, {
      hidden,
      binding: binding.block(layer),
      attention: options.attention,
      sequence,
      past,
    })
    hidden = block.hidden
    graph.output(`present.${layer}.key`, block.key)
    graph.output(`present.${layer}.value`, block.value)
  }
  const wanted = options.logits === 'all' ? hidden : slice(graph, hidden, { axis: 1, start: -1 })
  graph.output('logits', emitHead(graph, description, binding.outer, wanted))
  return graph
}
