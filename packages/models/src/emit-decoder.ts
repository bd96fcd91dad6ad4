/**
 * A whole decoder as one ONNX graph: ids in, logits out, keys and values kept in a cache between runs.
 * @module
 */
import { Graph, int64s, type Value } from '@awq/onnx'
import type { AttentionForm } from './attention.ts'
import type { BlockBinding, OuterBinding } from './binding.ts'
import { type DecoderPort, servingPort } from './decoder-port.ts'
import type { ModelDescription } from './describe.ts'
import { emitBlock } from './emit-block.ts'
import type { ExpertTokens } from './emit-experts.ts'
import { emitImageRows, textIds } from './emit-image-rows.ts'
import { emitEmbed, emitHead } from './emit-outer.ts'
import type { Residual } from './norm.ts'
import type { ActivationType } from './sequence.ts'

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
  /** Ids past the vocabulary stand for rows of features, which are an input. Default false. */
  readonly images?: boolean | undefined
  /** What inputs and outputs are, `servingPort` by default. */
  readonly port?: DecoderPort | undefined
}

/** Supplies all parameters of a decoder. */
export interface DecoderBinding {
  readonly outer: OuterBinding
  readonly block: (layer: number) => BlockBinding
}

/**
 * Emits the decoder: one graph for prompts, single steps, and the logits of any tail of the new tokens.
 *
 * Inputs and outputs are those of the port, by default `servingPort`, and the output `logits` float32
 * `[batch, rows, vocab]`: of all new tokens, or of those from the port's `logitsFrom` on (0: all, sequence - 1: the last,
 * sequence: none).
 *
 * The last block computes nothing past its attention for tokens whose logits are not wanted.
 */
export const emitDecoder = (description: ModelDescription, binding: DecoderBinding, options: DecoderOptions): Graph => {
  const {
    attention,
    dtype = 'float32',
    wholeRows = false,
    experts,
    oneToken = false,
    images,
    port = servingPort,
  } = options
  const { config, blocks } = description
  const graph = new Graph(`${config.modelType}-decoder`)
  const inputs = port(graph, { description, attention, dtype, oneToken, images })
  const { tokens, logitsFrom } = inputs
  const sequence = { ...inputs.sequence, wholeRows }
  const rowsFrom =
    (first: Value) =>
    (x: Value): Value =>
      graph.add(
        'Slice',
        [x, first, int64s(graph, [2 ** 31 - 1]), int64s(graph, [1])],
        {},
        {
          shape: x.shape.map((dim, axis) => (axis === 1 ? 'rows' : dim)),
        },
      )
  const embed = ({ ids }: { readonly ids: Value }, features: Value | undefined): Value => {
    const text = features ? textIds(graph, ids, config.vocabSize) : ids
    const rows = emitEmbed(graph, description, binding.outer, binding.outer.embed(graph, text), sequence)
    return features ? emitImageRows(graph, ids, rows, features, config.vocabSize) : rows
  }
  let hidden: Residual = 'embedded' in tokens ? tokens.embedded : embed(tokens, inputs.features)
  for (const [layer, block] of blocks.entries()) {
    const past = inputs.past(layer, block.attention)
    const emitted = emitBlock(graph, block, {
      hidden,
      binding: binding.block(layer),
      attention,
      sequence,
      past,
      deferSums: true,
      experts,
      ...(logitsFrom && layer === config.layers - 1 ? { wanted: rowsFrom(logitsFrom) } : {}),
    })
    hidden = emitted.hidden
    inputs.present(layer, emitted, past)
  }
  graph.output('logits', emitHead(graph, description, binding.outer, hidden))
  return graph
}
