/**
 * Causal attention in two forms that compute the same.
 *
 * `plain` is made of MatMul and Softmax and takes every head width. With a cache, the past keys and values are inputs
 * of fixed capacity and only the new rows are outputs, so that an engine which copies its outputs copies little.
 *
 * `fused` is the operator GroupQueryAttention; past and present are the same buffer of fixed capacity, appended to in
 * place. Without a cache its scores never lie in memory as a whole, which makes it the one for long sequences.
 * @module
 */
import { floats, type Graph, reshape, scalar, type Value } from '@awq/onnx'
import { type Device, kernelsOf } from '@awq/ort'
import { AwqError } from '@awq/tensor'
import { emitAlibi } from './emit-alibi.ts'
import { emitSinkSoftmax } from './emit-sinks.ts'
import type { SequenceInputs } from './sequence.ts'
import { maskNeed, type Positioned, placeOf, type RopeNeed, ropeNeed, rotaryNeed } from './sequence-needs.ts'
import { emitSoftCap } from './soft-cap.ts'
import type { AttentionStep, RotaryStep } from './steps.ts'

/** Which form of attention a graph uses. */
export type AttentionForm = 'plain' | 'fused'

/** True when the operator GroupQueryAttention can say all attention of a model or block. */
export const fusedIsPossible = ({ sequence }: Positioned): boolean =>
  sequence.attentions.every(
    ({ headDim, valueDim = headDim, alibi }) => headDim % 8 === 0 && valueDim === headDim && !alibi,
  )

/**
 * The form for whole sequences without a cache: `fused` keeps no scores of all tokens in memory and skips those a token may
 * not see, where the device's operator does without a cache.
 */
export const attentionWithoutCache = (device: Device, model: Positioned): AttentionForm =>
  kernelsOf(device).fusedSequences && fusedIsPossible(model) ? 'fused' : 'plain'

/** The operator's own rotary embedding turns whole heads whose width is a multiple of 16, halves against halves. */
export const rotatesInside = ({ rope, headDim }: RopeNeed): boolean =>
  rope.width === headDim && !rope.interleaved && headDim % 16 === 0

/** True when no rotary embedding is left to do before the operator. */
const rotatesAlone = (attention: AttentionStep): boolean => {
  const need = ropeNeed(attention)
  return !need || rotatesInside(need)
}

/** True when a form takes query, key and value side by side in one value. */
export const takesPacked = (form: AttentionForm, attention: AttentionStep): boolean =>
  form === 'fused' && attention.headDim % 8 === 0 && rotatesAlone(attention)

/**
 * What the rotary tables of a form are multiplied by. `fused` has the scores' factor in them where they turn whole heads,
 * half of it with the queries and half with the keys: a product of one row without a factor has a kernel of its own in
 * ONNX Runtime's CPU library.
 */
export const ropeFactor = (form: AttentionForm, { rope, headDim, scale }: RopeNeed): number =>
  form === 'fused' && rope.width === headDim ? Math.sqrt(scale) : 1

/** Query, key and value projections of the new tokens; or, where `takesPacked`, all three in one value. */
export type Projections = readonly [query: Value, key: Value, value: Value] | readonly [packed: Value]

/** The key and value cache of one block, `[batch, kvHeads, capacity, headDim or valueDim]`. */
export interface PastKeyValue {
  readonly key: Value
  readonly value: Value
}

/**
 * What attention makes: the mixed values `[batch, sequence, heads * valueDim]`, and what to put into the cache.
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

/** Turns the heads of `x`, `[batch, heads, sequence, headDim]` or `[batch, sequence, heads * headDim]`. */
const rotate = (
  graph: Graph,
  x: Value,
  heads: number,
  need: RopeNeed | null,
  inputs: Pick<SequenceInputs, 'needs' | 'ropes' | 'start'>,
): Value => {
  if (!need) return x
  const { rope, headDim } = need
  const { cos, sin } = inputs.ropes[placeOf(inputs.needs.ropes, need)]!
  const partial = rope.width < headDim ? { num_heads: heads, rotary_embedding_dim: rope.width } : {}
  const whole = x.shape.length === 3 ? { num_heads: heads } : {}
  const attributes = { interleaved: rope.interleaved ? 1 : 0, ...whole, ...partial }
  return graph.add('RotaryEmbedding', [x, inputs.start!, cos, sin], attributes)
}

/** A `rotary` step: turns the heads of `x`, `[batch, sequence, heads * width]`. */
export const emitRotary = (graph: Graph, x: Value, step: RotaryStep, inputs: SequenceInputs): Value =>
  rotate(graph, x, step.heads, rotaryNeed(step), inputs)

/** What surrounds attention. */
export interface AttentionContext {
  readonly inputs: SequenceInputs
  readonly past: PastKeyValue | undefined
  /** `[heads]`, of steps that name them. */
  readonly sinks: Value | undefined
}

const emitPlain = (
  graph: Graph,
  attention: AttentionStep,
  [query, key, value]: readonly [Value, Value, Value],
  { inputs, past, sinks }: AttentionContext,
): Attended => {
  const { heads, kvHeads, headDim, valueDim = headDim, softCap } = attention
  const mask = inputs.masks[placeOf(inputs.needs.masks, maskNeed(attention))]!
  const turned = (x: Value, count: number) =>
    rotate(graph, splitHeads(graph, x, count, headDim), count, ropeNeed(attention), inputs)
  const q = graph.add('Mul', [turned(query, heads), scalar(graph, query.dtype, attention.scale)])
  const k = turned(key, kvHeads)
  const v = splitHeads(graph, value, kvHeads, valueDim)
  // The query heads that share a key head lie one below the other: one product per key head, keys not repeated.
  const rows = reshape(graph, q, [0, kvHeads, -1, headDim])
  const scoresOf = (keys: Value) => graph.add('MatMul', [rows, transposed(graph, keys)])
  const products = past ? graph.add('Concat', [scoresOf(past.key), scoresOf(k)], { axis: 3 }) : scoresOf(k)
  const capped = softCap === null ? products : emitSoftCap(graph, products, softCap)
  const scores = attention.alibi ? emitAlibi(graph, capped, q, attention, inputs.keyPositions!) : capped
  const masked = graph.add('Add', [scores, mask])
  const weights = sinks
    ? emitSinkSoftmax(graph, masked, sinks, q, attention)
    : graph.add('Softmax', [masked], { axis: -1 })
  const mixed = past ? mixWithPast(graph, weights, past.value, v) : graph.add('MatMul', [weights, v])
  const merged = reshape(graph, mixed, [0, heads, -1, valueDim])
  const output = reshape(graph, graph.add('Transpose', [merged], { perm: [0, 2, 1, 3] }), [0, 0, heads * valueDim])
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
  attention: AttentionStep,
  projections: Projections,
  { inputs, past, sinks }: AttentionContext,
): Attended => {
  const { heads, kvHeads, softCap, window } = attention
  const need = ropeNeed(attention)
  const inside = need !== null && rotatesInside(need)
  const tables = inside ? inputs.ropes[placeOf(inputs.needs.ropes, need)]! : undefined
  const folded = need !== null && ropeFactor('fused', need) !== 1
  const [query, key, value] = projections
  const turned = (x: Value | undefined, count: number): Value | null =>
    !x || inside ? (x ?? null) : rotate(graph, x, count, need, inputs)
  // A sink of no weight changes no result; ONNX Runtime's tiled path does not take sinks.
  const none = inputs.wholeRows
    ? floats(graph, query.dtype, new Array<number>(heads).fill(NO_WEIGHT[query.dtype]!))
    : null
  const sink = sinks ?? none
  const [output, presentKey, presentValue] = graph.addAll(
    'GroupQueryAttention',
    [
      turned(query, heads),
      turned(key, kvHeads),
      value ?? null,
      past?.key ?? null,
      past?.value ?? null,
      inputs.lastPosition!,
      inputs.totalLength!,
      tables?.cos ?? null,
      tables?.sin ?? null,
      ...(sink || inputs.bias ? [null, inputs.bias ?? null, sink] : []),
    ],
    {
      num_heads: heads,
      kv_num_heads: kvHeads,
      do_rotary: inside ? 1 : 0,
      // Zero would mean the default factor; see `ropeFactor`.
      scale: folded ? 1 : attention.scale,
      ...(softCap === null ? {} : { softcap: softCap }),
      local_window_size: window ?? -1,
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
  attention: AttentionStep,
  projections: Projections,
  context: AttentionContext,
): Attended => {
  if (form === 'fused') return emitFused(graph, attention, projections, context)
  if (projections.length === 1)
    throw new AwqError('INVALID_ARGUMENT', 'plain attention reads query, key and value apart')
  return emitPlain(graph, attention, projections, context)
}
