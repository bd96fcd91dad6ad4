/**
 * The inputs that tell a graph where its tokens stand: rotary tables, causal masks, lengths.
 * @module
 */
import type { Graph, Value } from '@awq/onnx'
import { type Tensor, tensor, zeros } from '@awq/ort'
import { float32ToFloat16Bits } from '@awq/tensor'
import { type AttentionForm, ropeFactor, rotatesInside } from './attention.ts'
import { ropeTables } from './rope.ts'
import type { MaskNeed, Positioned, SequenceNeeds } from './sequence-needs.ts'

/** Tokens that see each other, those behind them too: positions `start` to `end - 1`. */
export interface TokenGroup {
  readonly start: number
  readonly end: number
  /** A window hides those before it all the same. */
  readonly windowed: boolean
}

/** Where the new tokens of a run stand. */
export interface Positions {
  /** Tokens already in the cache; the position of the first new one. */
  readonly past: number
  /** New tokens. */
  readonly length: number
  /** Slots of the cache; 0 without a cache. */
  readonly capacity: number
  /** Of the tokens of images, in the plain form; none of them reaches past the new tokens. Default none. */
  readonly groups?: readonly TokenGroup[] | undefined
}

/** Element types of activations and cache. */
export type ActivationType = 'float32' | 'float16'

/** Inputs that every block of a graph shares. */
export interface SequenceInputs {
  readonly needs: SequenceNeeds
  /** For each rotary table `[positions, width / 2]`, of the activations' type, multiplied by `ropeFactor`. */
  readonly ropes: readonly { readonly cos: Value; readonly sin: Value }[]
  /**
   * int64, where rotation or learned positions are nodes of their own: `[1]`, the position of the first new token, or
   * `[batch, sequence]`, that of each.
   */
  readonly start?: Value | undefined
  /**
   * plain: for each mask `[heads / kvHeads * sequence, capacity + sequence]` of the activations' type, added to the scores: 0
   * where a token may look, -1e30 (in float16: minus infinity) elsewhere; the rows of the sequence once for each query head
   * that shares a key head. Or one for each sequence of the batch, `[batch, 1, ...]`.
   */
  readonly masks: readonly Value[]
  /** With linear biases: float32 `[capacity + sequence]` or `[batch, 1, 1, ...]`, the position of each column of the scores. */
  readonly keyPositions?: Value | undefined
  /** fused: int32 `[batch]`, the number of tokens, new ones included, less one. */
  readonly lastPosition?: Value | undefined
  /** fused: int32 scalar, the number of tokens, new ones included. */
  readonly totalLength?: Value | undefined
  /** fused: `[batch, 1, sequence, total]` of the activations' type, added to the scores. */
  readonly bias?: Value | undefined
  /** fused: score rows are made whole instead of tile by tile: faster for single tokens on CPUs. */
  readonly wholeRows?: boolean | undefined
}

/** `rope`, `rope2`, `rope3` ... */
const nth = (name: string, index: number): string => (index === 0 ? name : `${name}${index + 1}`)

/** Whether a graph needs `start`. */
export const needsStart = ({ ropes, learned }: SequenceNeeds, form: AttentionForm): boolean =>
  learned || ropes.some((need) => form === 'plain' || !rotatesInside(need))

/** Whether a graph needs `keyPositions`. */
export const needsKeyPositions = ({ attentions }: SequenceNeeds): boolean => attentions.some(({ alibi }) => alibi)

/**
 * Declares the inputs a form of attention needs. Their names are those of `sequenceFeeds` and `ropeFeeds`; the rotary
 * tables are of the activations' type, masks are always float32.
 * @param starts shape of `start`: `[1]`, or `[batch, sequence]` where each token says its position
 */
export const declareSequence = (
  graph: Graph,
  { sequence: needs }: Positioned,
  form: AttentionForm,
  dtype: ActivationType = 'float32',
  starts: readonly (number | string)[] = [1],
): SequenceInputs => {
  const ropes = needs.ropes.map(({ rope }, i) => ({
    cos: graph.input(`${nth('rope', i)}.cos`, dtype, ['positions', rope.width / 2]),
    sin: graph.input(`${nth('rope', i)}.sin`, dtype, ['positions', rope.width / 2]),
  }))
  const startIf = () => (needsStart(needs, form) ? graph.input('start', 'int64', starts) : undefined)
  if (form === 'plain') {
    const start = startIf()
    const masks = needs.masks.map((_, i) => {
      const mask = graph.input(nth('mask', i), 'float32', [`${nth('mask', i)} rows`, 'mask columns'])
      return dtype === 'float32' ? mask : graph.add('Cast', [mask], { to: dtype })
    })
    const keyPositions = needsKeyPositions(needs)
      ? graph.input('key_positions', 'float32', ['mask columns'])
      : undefined
    return { needs, ropes, start, masks, keyPositions }
  }
  const lengths = {
    lastPosition: graph.input('last_position', 'int32', ['batch']),
    totalLength: graph.input('total_length', 'int32', []),
  }
  return { needs, ropes, masks: [], ...lengths, start: startIf() }
}

/** Fills `mask` with a mask of the plain form, see `causalMask`. */
const fillMask = (mask: Float32Array, need: MaskNeed, positions: Positions): void => {
  const { past, length, capacity, groups = [] } = positions
  const window = need.window ?? Number.POSITIVE_INFINITY
  const columns = capacity + length
  mask.fill(-1e30)
  for (let row = 0; row < length; row++) {
    const position = past + row
    const first = Math.max(0, position - window + 1)
    const line = mask.subarray(row * columns, (row + 1) * columns)
    if (first < past) line.fill(0, first, past)
    line.fill(0, capacity + Math.max(0, first - past), capacity + row + 1)
    for (const { start, end, windowed } of groups) {
      if (position < start || position >= end) continue
      const from = windowed ? Math.max(start, first) : start
      if (from < past) line.fill(0, from, past)
      line.fill(0, capacity + Math.max(0, from - past), capacity + Math.min(end - past, length))
    }
  }
  for (let copy = 1; copy < need.copies; copy++) mask.copyWithin(copy * length * columns, 0, length * columns)
}

/** Slots of the cache that are not filled have no position, but a number: their scores are masked. */
const fillKeyPositions = (positions: Float32Array, { past, capacity }: Positions): void => {
  for (let column = 0; column < positions.length; column++)
    positions[column] = column < capacity ? Math.min(column, past) : past + column - capacity
}

const emptyMask = ({ copies }: MaskNeed, { length, capacity }: Positions): Tensor =>
  zeros('float32', [copies * length, capacity + length])

/**
 * A mask of the plain form, float32 `[copies * length, capacity + length]`. The first `capacity` columns are the slots of
 * the cache, of which `past` are filled; the others are the new tokens.
 */
export const causalMask = (need: MaskNeed, positions: Positions): Tensor => {
  const mask = emptyMask(need, positions)
  fillMask(mask.data as Float32Array, need, positions)
  return mask
}

/**
 * Rotary tables as feeds, multiplied by `ropeFactor`, for sequences of at most `positions` tokens.
 * @param length tokens of the whole sequence, where they decide the frequencies; default `positions`
 */
export const ropeFeeds = (
  { sequence }: Positioned,
  form: AttentionForm,
  positions: number,
  dtype: ActivationType = 'float32',
  length = positions,
): Record<string, Tensor> => {
  const feeds: Record<string, Tensor> = {}
  for (const [i, need] of sequence.ropes.entries()) {
    const { width } = need.rope
    const tables = ropeTables(need.rope, width, positions, length, need.rope.span)
    const factor = ropeFactor(form, need)
    const feed = (table: Float32Array): Tensor => {
      const values = factor === 1 ? table : table.map((value) => value * factor)
      const data = dtype === 'float32' ? values : Uint16Array.from(values, float32ToFloat16Bits)
      return tensor(dtype, [positions, width / 2], data)
    }
    feeds[`${nth('rope', i)}.cos`] = feed(tables.cos)
    feeds[`${nth('rope', i)}.sin`] = feed(tables.sin)
  }
  return feeds
}

/**
 * Feeds for `declareSequence`, without the rotary tables.
 * @param each `start` says the position of each token
 */
export const sequenceFeeds = (
  model: Positioned,
  form: AttentionForm,
  positions: Positions,
  batch = 1,
  each = false,
): Record<string, Tensor> => {
  const needs = model.sequence
  const feeds: Record<string, Tensor> = {}
  if (needsStart(needs, form)) feeds.start = zeros('int64', each ? [batch, positions.length] : [1])
  if (form === 'plain') {
    for (const [i, need] of needs.masks.entries()) feeds[nth('mask', i)] = emptyMask(need, positions)
    if (needsKeyPositions(needs)) feeds.key_positions = zeros('float32', [positions.capacity + positions.length])
  } else {
    feeds.last_position = zeros('int32', [batch])
    feeds.total_length = zeros('int32', [])
  }
  rewriteSequence(feeds, model, positions)
  return feeds
}

/** The position of the first new token, or of each of every row. */
const fillStart = ({ shape, data }: Tensor, pasts: readonly number[]): void => {
  const length = shape[1] ?? 1
  for (let i = 0; i < data.length; i++) {
    data[i] = BigInt((pasts[Math.floor(i / length)] ?? pasts[0]!) + (i % length))
  }
}

/**
 * Rewrites the feeds of the fused form that `sequenceFeeds` made with `each`, for a batch whose rows have pasts of their own:
 * `pasts` has one for each, and each gets `length` new tokens.
 */
export const rewriteRows = (
  feeds: Readonly<Record<string, Tensor>>,
  pasts: readonly number[],
  length: number,
): void => {
  const { start, last_position: last, total_length: total } = feeds
  if (start) fillStart(start, pasts)
  for (const [row, past] of pasts.entries()) last!.data[row] = past + length - 1
  total!.data[0] = Math.max(...pasts) + length
}

/**
 * Rewrites the feeds that `sequenceFeeds` made for other positions in place, for a run that is bound to them. Length and
 * capacity must be the same as then.
 */
export const rewriteSequence = (
  feeds: Readonly<Record<string, Tensor>>,
  { sequence }: Positioned,
  positions: Positions,
): void => {
  const { start, key_positions: keyPositions, last_position: last, total_length: total } = feeds
  const count = positions.past + positions.length
  if (start) fillStart(start, [positions.past])
  if (keyPositions) fillKeyPositions(keyPositions.data as Float32Array, positions)
  for (const [i, need] of sequence.masks.entries()) {
    const mask = feeds[nth('mask', i)]
    if (mask) fillMask(mask.data as Float32Array, need, positions)
  }
  if (last) (last.data as Int32Array).fill(count - 1)
  if (total) (total.data as Int32Array).fill(count)
}
