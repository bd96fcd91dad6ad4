/**
 * The inputs that tell a graph where its tokens stand: rotary tables, causal mask, lengths.
 * @module
 */
import type { Graph } from '@awq/onnx'
import { type Tensor, tensor, zeros } from '@awq/ort'
import { float32ToFloat16Bits } from '@awq/tensor'
import { type AttentionForm, ropeFactor, rotatesInside, type SequenceInputs } from './attention.ts'
import type { ModelConfig } from './config.ts'
import { ropeTables } from './rope.ts'

/** Where the new tokens of a run stand. */
export interface Positions {
  /** Tokens already in the cache; the position of the first new one. */
  readonly past: number
  /** New tokens. */
  readonly length: number
  /** Slots of the cache; 0 without a cache. */
  readonly capacity: number
}

/** Element types of activations and cache. */
export type ActivationType = 'float32' | 'float16'

/**
 * Declares the inputs a form of attention needs. Their names are those of `sequenceFeeds` and `ropeFeeds`; the rotary
 * tables are of the activations' type, the mask is always float32.
 */
export const declareSequence = (
  graph: Graph,
  config: ModelConfig,
  form: AttentionForm,
  dtype: ActivationType = 'float32',
): SequenceInputs => {
  const half = config.headDim / 2
  const tables = {
    cos: graph.input('rope.cos', dtype, ['positions', half]),
    sin: graph.input('rope.sin', dtype, ['positions', half]),
  }
  if (form === 'plain') {
    const start = graph.input('start', 'int64', [1])
    const mask = graph.input('mask', 'float32', ['mask rows', 'mask columns'])
    return { ...tables, start, mask: dtype === 'float32' ? mask : graph.add('Cast', [mask], { to: dtype }) }
  }
  const lengths = {
    lastPosition: graph.input('last_position', 'int32', ['batch']),
    totalLength: graph.input('total_length', 'int32', []),
  }
  return rotatesInside(config.headDim)
    ? { ...tables, ...lengths }
    : { ...tables, ...lengths, start: graph.input('start', 'int64', [1]) }
}

/** Fills `mask` with the mask of the plain form, see `causalMask`. */
const fillMask = (mask: Float32Array, config: ModelConfig, { past, length, capacity }: Positions): void => {
  const shared = config.heads / config.kvHeads
  const window = config.slidingWindow ?? Number.POSITIVE_INFINITY
  const columns = capacity + length
  mask.fill(-1e30)
  for (let row = 0; row < length; row++) {
    const position = past + row
    const first = Math.max(0, position - window + 1)
    const line = mask.subarray(row * columns, (row + 1) * columns)
    if (first < past) line.fill(0, first, past)
    line.fill(0, capacity + Math.max(0, first - past), capacity + row + 1)
  }
  for (let copy = 1; copy < shared; copy++) mask.copyWithin(copy * length * columns, 0, length * columns)
}

const emptyMask = ({ heads, kvHeads }: ModelConfig, { length, capacity }: Positions): Tensor =>
  zeros('float32', [(heads / kvHeads) * length, capacity + length])

/**
 * The mask of the plain form, float32 `[heads / kvHeads * length, capacity + length]`. The first `capacity` columns
 * are the slots of the cache, of which `past` are filled; the others are the new tokens.
 */
export const causalMask = (config: ModelConfig, positions: Positions): Tensor => {
  const mask = emptyMask(config, positions)
  fillMask(mask.data as Float32Array, config, positions)
  return mask
}

/** Rotary tables as feeds, multiplied by `ropeFactor`, for sequences of at most `positions` tokens. */
export const ropeFeeds = (
  config: ModelConfig,
  form: AttentionForm,
  positions: number,
  dtype: ActivationType = 'float32',
): Record<'rope.cos' | 'rope.sin', Tensor> => {
  const tables = ropeTables(config.rope, config.headDim, positions)
  const factor = ropeFactor(form, config.headDim)
  const feed = (table: Float32Array): Tensor => {
    const values = factor === 1 ? table : table.map((value) => value * factor)
    const data = dtype === 'float32' ? values : Uint16Array.from(values, float32ToFloat16Bits)
    return tensor(dtype, [positions, config.headDim / 2], data)
  }
  return { 'rope.cos': feed(tables.cos), 'rope.sin': feed(tables.sin) }
}

/** Feeds for `declareSequence`, without the rotary tables. */
export const sequenceFeeds = (
  config: ModelConfig,
  form: AttentionForm,
  positions: Positions,
  batch = 1,
): Record<string, Tensor> => {
  const start = { start: zeros('int64', [1]) }
  const lengths = { last_position: zeros('int32', [batch]), total_length: zeros('int32', []) }
  const feeds =
    form === 'plain'
      ? { ...start, mask: emptyMask(config, positions) }
      : { ...lengths, ...(rotatesInside(config.headDim) ? {} : start) }
  rewriteSequence(feeds, config, positions)
  return feeds
}

/**
 * Rewrites the feeds that `sequenceFeeds` made for other positions in place, for a run that is bound to them. Length and
 * capacity must be the same as then.
 */
export const rewriteSequence = (
  feeds: Readonly<Record<string, Tensor>>,
  config: ModelConfig,
  positions: Positions,
): void => {
  const { start, mask, last_position: last, total_length: total } = feeds
  const count = positions.past + positions.length
  if (start) (start.data as BigInt64Array).fill(BigInt(positions.past))
  if (mask) fillMask(mask.data as Float32Array, config, positions)
  if (last) (last.data as Int32Array).fill(count - 1)
  if (total) (total.data as Int32Array).fill(count)
}
