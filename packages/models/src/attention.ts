/**
 * Causal attention with rotary embedding in two forms that compute the same.
 *
 * `plain` is made of MatMul and Softmax and takes every head width. With a cache, the past keys and values are inputs
 * of fixed capacity and only the new rows are outputs, so that an engine which copies its outputs copies little.
 *
 * `fused` is the operator GroupQueryAttention; past and present are the same buffer of fixed capacity, appended to in
 * place. Without a cache its scores never lie in memory as a whole, which makes it the one for long sequences.
 * @module
 */
import { floats, type Graph, reshape, scalar, type Value } from '@awq/onnx'
import { AwqError } from '@awq/tensor'
import type { ModelConfig } from './config.ts'

/** Which form of attention a graph uses. */
export type AttentionForm = 'plain' | 'fused'

/** True when the operator GroupQueryAttention takes heads of this width. */
export const fusedIsPossible = (headDim: number): boolean => headDim % 8 === 0

/** The operator's own rotary embedding takes heads whose width is a multiple of 16. */
export const rotatesInside = (headDim: number): boolean => headDim % 16 === 0

/** True when a form takes query, key and value side by side in one value: rotated inside, nothing else reads them. */
export const takesPacked = (form: AttentionForm, { headDim }: Pick<ModelConfig, 'headDim'>): boolean =>
  form === 'fused' && rotatesInside(headDim)

/**
 * What the rotary tables of a form are multiplied by. `fused` has the scores' factor `headDim^-1/2` in its tables, half of
 * it with the queries and half with the keys: a product of one row without a factor has a kernel of its own in ONNX
 * Runtime's CPU library.
 */
export const ropeFactor = (form: AttentionForm, headDim: number): number => (form === 'fused' ? headDim ** -0.25 : 1)

/** Query, key and value projections of the new tokens; or, where `takesPacked`, all three in one value. */
export type Projections = readonly [query: Value, key: Value, value: Value] | readonly [packed: Value]

/** The key and value cache of one block, `[batch, kvHeads, capacity, headDim]`. */
export interface PastKeyValue {
  readonly key: Value
  readonly value: Value
}

/** Inputs that every block of a graph shares. */
export interface SequenceInputs {
  /** `[positions, headDim / 2]`, of the activations' type, multiplied by `ropeFactor`. */
  readonly cos: Value
  readonly sin: Value
  /** plain: int64 `[1]`, the position of the first new token. */
  readonly start?: Value
  /**
   * plain: `[heads / kvHeads * sequence, capacity + sequence]` of the activations' type, added to the scores: 0 where a
   * token may look, -1e30 (in float16: minus infinity) elsewhere; the rows of the sequence once for each query head that
   * shares a key head.
   */
  readonly mask?: Value
  /** fused: int32 `[batch]`, the number of tokens, new ones included, less one. */
  readonly lastPosition?: Value
  /** fused: int32 scalar, the number of tokens, new ones included. */
  readonly totalLength?: Value
  /** fused: score rows are made whole instead of tile by tile: faster for single tokens on CPUs. */
  readonly wholeRows?: boolean
}

/**
 * What attention makes: the mixed values `[batch, sequence, heads * headDim]`, and what to put into the cache.
 */
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
    scalar(graph, query.dtype, 1 / Math.sqrt(headDim)),
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

/** A logit whose exponential is zero, by type. */
const NO_WEIGHT: Readonly<Partial<Record<string, number>>> = { float32: -1e30, float16: -65504 }

const emitFused = (
  graph: Graph,
  config: ModelConfig,
  projections: Projections,
  inputs: SequenceInputs,
  past: PastKeyValue | undefined,
): Attended => {
  const { heads, kvHeads, headDim } = config
  const inside = rotatesInside(headDim)
  const [query, key, value] = projections
  const rotate = (x: Value | undefined, count: number): Value | null => {
    if (!x || inside) return x ?? null
    const attributes = { interleaved: 0, num_heads: count }
    return graph.add('RotaryEmbedding', [x, inputs.start!, inputs.cos, inputs.sin], attributes)
  }
  // A sink of no weight changes no result; ONNX Runtime's tiled path does not take sinks.
  const sink = inputs.wholeRows
    ? floats(graph, query.dtype, new Array<number>(heads).fill(NO_WEIGHT[query.dtype]!))
    : null
  const [output, presentKey, presentValue] = graph.addAll(
    'GroupQueryAttention',
    [
      rotate(query, heads),
      rotate(key, kvHeads),
      value ?? null,
      past?.key ?? null,
      past?.value ?? null,
      inputs.lastPosition!,
      inputs.totalLength!,
      inside ? inputs.cos : null,
      inside ? inputs.sin : null,
      ...(sink ? [null, null, sink] : []),
    ],
    {
      num_heads: heads,
      kv_num_heads: kvHeads,
      do_rotary: inside ? 1 : 0,
      // Zero would mean the default factor; see `ropeFactor`.
      scale: 1,
      local_window_size: config.slidingWindow ?? -1,
    },
    { outputs: 3 },
  )
  return { output: output!, key: presentKey!, value: presentValue! }
}

/**
 * Adds attention to a graph.
 * @param projections query `[batch, sequence, heads * headDim]`, key and value `[batch, sequence, kvHeads * headDim]`; or
 * one value `[batch, sequence, (heads + 2 kvHeads) * headDim]`, where `takesPacked` and there is a cache
 */
export const emitAttention = (
  graph: Graph,
  form: AttentionForm,
  config: ModelConfig,
  projections: Projections,
  inputs: SequenceInputs,
  past: PastKeyValue | undefined,
): Attended => {
  if (form === 'fused') return emitFused(graph, config, projections, inputs, past)
  if (projections.length === 1)
    throw new AwqError('INVALID_ARGUMENT', 'plain attention reads query, key and value apart')
  return emitPlain(graph, config, projections, inputs, past)
}
