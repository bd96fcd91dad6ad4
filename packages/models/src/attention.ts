/**
 * Causal attention with rotary embedding in two forms that compute the same.
 *
 * `plain` is made of MatMul and Softmax and takes every head width. With a cache, the past keys and values are inputs
 * of fixed capacity and only the new rows are outputs, so that an engine which copies its outputs copies little.
 *
 * `fused` is the operator GroupQueryAttention; past and present are the same buffer of fixed capacity, appended to in
 * place.
 * @module
 */
import { type Graph, reshape, scalar, type Value } from '@awq/onnx'
import type { ModelConfig } from './config.ts'

/** Which form of attention a graph uses. */
export type AttentionForm = 'plain' | 'fused'

/** The key and value cache of one block, float32 `[batch, kvHeads, capacity, headDim]`. */
export interface PastKeyValue {
  readonly key: Value
  readonly value: Value
}

/** Inputs that every block of a graph shares. */
export interface SequenceInputs {
  /** float32 `[positions, headDim / 2]`. */
  readonly cos: Value
  readonly sin: Value
  /** plain: int64 `[1]`, the position of the first new token. */
  readonly start?: Value
  /**
   * plain: float32 `[heads / kvHeads * sequence, capacity + sequence]`, added to the scores: 0 where a token may look,
   * -1e30 elsewhere; the rows of the sequence once for each query head that shares a key head.
   */
  readonly mask?: Value
  /** fused: int32 `[batch]`, the number of tokens, new ones included, less one. */
  readonly lastPosition?: Value
  /** fused: int32 scalar, the number of tokens, new ones included. */
  readonly totalLength?: Value
}

/** What attention makes: the mixed values `[batch, sequence, heads * headDim]`, and what to put into the cache. */
export interface Attended {
  readonly output: Value
  /** plain: the new rows `[batch, kvHeads, sequence, headDim]`; fused: the whole cache. */
  readonly key: Value
  readonly value: Value
}

/** `[batch, sequence, heads * headDim]` to `[batch, heads, sequence, headDim]`. */
const splitHeads = (graph: Graph, x: Value, heads: number, headDim: number): Value =>
  graph.add('Transpose', [reshape(graph, x, [0, 0, heads, headDim])], { perm: [0, 2, 1, 3] })

const transposed = (graph: Graph, x: Value): Value => graph.add('Transpose', [x], { perm: [0, 1, 3, 2] })

const emitPlain = (
  graph: Graph,
  config: ModelConfig,
  [query, key, value]: readonly [Value, Value, Value],
  inputs: SequenceInputs,
  past: PastKeyValue | undefined,
): Attended => {
  const { heads, kvHeads, headDim } = config
  const rotate = (x: Value) =>
    graph.add('RotaryEmbedding', [x, inputs.start!, inputs.cos, inputs.sin], { interleaved: 0 })
  const q = graph.add('Mul', [
    rotate(splitHeads(graph, query, heads, headDim)),
    scalar(graph, 'float32', 1 / Math.sqrt(headDim)),
  ])
  const k = rotate(splitHeads(graph, key, kvHeads, headDim))
  const v = splitHeads(graph, value, kvHeads, headDim)
  // The query heads that share a key head lie one below the other: one product per key head, keys not repeated.
  const rows = reshape(graph, q, [0, kvHeads, -1, headDim])
  const scoresOf = (keys: Value) => graph.add('MatMul', [rows, transposed(graph, keys)])
  const scores = past ? graph.add('Concat', [scoresOf(past.key), scoresOf(k)], { axis: 3 }) : scoresOf(k)
  const weights = graph.add('Softmax', [graph.add('Add', [scores, inputs.mask!])], { axis: -1 })
  const mixed = past ? mixWithPast(graph, weights, past.value, v) : graph.add('MatMul', [weights, v])
  const merged = reshape(graph, mixed, [0, heads, -1, headDim])
  const output = reshape(graph, graph.add('Transpose', [merged], { perm: [0, 2, 1, 3] }), [0, 0, heads * headDim])
  return { output, key: k, value: v }
}

const mixWithPast = (graph: Graph, weights: Value, pastValue: Value, newValue: Value): Value => {
  const lengthOf = (x: Value) => graph.add('Shape', [x], { start: 2, end: 3 })
  const lengths = graph.add('Concat', [lengthOf(pastValue), lengthOf(newValue)], { axis: 0 })
  const [ofPast, ofNew] = graph.addAll('Split', [weights, lengths], { axis: 3 }, { outputs: 2 })
  return graph.add('Add', [graph.add('MatMul', [ofPast!, pastValue]), graph.add('MatMul', [ofNew!, newValue])])
}

const emitFused = (
  graph: Graph,
  config: ModelConfig,
  [query, key, value]: readonly [Value, Value, Value],
  inputs: SequenceInputs,
  past: PastKeyValue,
): Attended => {
  const { heads, kvHeads, headDim } = config
  // The operator's own rotary embedding takes head widths that are multiples of 16 only.
  const rotates = headDim % 16 === 0
  const rotate = (x: Value, count: number) =>
    rotates
      ? x
      : graph.add('RotaryEmbedding', [x, inputs.start!, inputs.cos, inputs.sin], {
          interleaved: 0,
          num_heads: count,
        })
  const [output, presentKey, presentValue] = graph.addAll(
    'GroupQueryAttention',
    [
      rotate(query, heads),
      rotate(key, kvHeads),
      value,
      past.key,
      past.value,
      inputs.lastPosition!,
      inputs.totalLength!,
      rotates ? inputs.cos : null,
      rotates ? inputs.sin : null,
    ],
    {
      num_heads: heads,
      kv_num_heads: kvHeads,
      do_rotary: rotates ? 1 : 0,
      local_window_size: config.slidingWindow ?? -1,
    },
    { outputs: 3 },
  )
  return { output: output!, key: presentKey!, value: presentValue! }
}

/**
 * Adds attention to a graph.
 * @param projections query `[batch, sequence, heads * headDim]`, key and value `[batch, sequence, kvHeads * headDim]`
 */
export const emitAttention = (
  graph: Graph,
  form: AttentionForm,
  config: ModelConfig,
  projections: readonly [Value, Value, Value],
  inputs: SequenceInputs,
  past: PastKeyValue | undefined,
): Attended =>
  form === 'fused' && past
    ? emitFused(graph, config, projections, inputs, past)
    : emitPlain(graph, config, projections, inputs, past)
