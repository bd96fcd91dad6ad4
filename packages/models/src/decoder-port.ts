/**
 * How a decoder's graph meets its caller: what its inputs are called and what they say, and what becomes of the cache.
 * @module
 */
import type { Graph, Value } from '@awq/onnx'
import type { AttentionForm, PastKeyValue } from './attention.ts'
import type { ModelDescription } from './describe.ts'
import { type ActivationType, declareSequence, type SequenceInputs } from './sequence.ts'
import type { AttentionStep } from './steps.ts'

/** What a graph is asked to be. */
export interface PortRequest {
  readonly description: ModelDescription
  readonly attention: AttentionForm
  /** Type of activations and cache. */
  readonly dtype: ActivationType
  /** The graph takes a single token at a time. */
  readonly oneToken: boolean
  /** Ids past the vocabulary stand for rows of features. */
  readonly images?: boolean | undefined
}

/** The inputs of a decoder, declared. */
export interface DecoderInputs {
  /** The new tokens: int64 `[batch, sequence]`; or `[batch, sequence, hidden]`, as the caller embedded them. */
  readonly tokens: { readonly ids: Value } | { readonly embedded: Value }
  readonly sequence: SequenceInputs
  /** `[rows, hidden]` of the activations' type: row i is what the id `vocabSize + i` stands for. */
  readonly features?: Value | undefined
  /** int64 `[1]`: the first of the new tokens whose logits are wanted; those of all where it is absent. */
  readonly logitsFrom?: Value | undefined
  /** Declares the cache of a layer. */
  readonly past: (layer: number, attention: AttentionStep) => PastKeyValue
  /** Makes outputs of what attention left for the cache: new rows (plain) or the whole cache (fused). */
  readonly present: (layer: number, made: PastKeyValue, past: PastKeyValue) => void
}

/** A way of meeting callers. */
export type DecoderPort = (graph: Graph, request: PortRequest) => DecoderInputs

/**
 * That of our own runtime, which keeps a cache of fixed capacity. Inputs: `input_ids` int64 `[batch, sequence]`;
 * `logits_from` int64 `[1]`; for images `features` `[rows, hidden]`; those of `declareSequence`; and for each layer `past.N.key` and `past.N.value`
 * `[batch, kvHeads, capacity, headDim]`. Outputs, for each layer: `present.N.key` and `present.N.value`, the new rows
 * (plain) or the whole cache (fused; bind it to the buffer of the past).
 */
export const servingPort: DecoderPort = (graph, { description, attention, dtype, oneToken, images }) => ({
  tokens: { ids: graph.input('input_ids', 'int64', oneToken ? [1, 1] : ['batch', 'sequence']) },
  logitsFrom: graph.input('logits_from', 'int64', [1]),
  ...(images ? { features: graph.input('features', dtype, ['features', description.config.hiddenSize]) } : {}),
  sequence: declareSequence(graph, description, attention, dtype, oneToken ? [1, 1] : ['batch', 'sequence']),
  past: (layer, { kvHeads, headDim, valueDim = headDim }) => {
    const cache = (width: number) => ['batch', kvHeads, 'capacity', width]
    return {
      key: graph.input(`past.${layer}.key`, dtype, cache(headDim)),
      value: graph.input(`past.${layer}.value`, dtype, cache(valueDim)),
    }
  },
  present: (layer, { key, value }) => {
    graph.output(`present.${layer}.key`, key)
    graph.output(`present.${layer}.value`, value)
  },
})
