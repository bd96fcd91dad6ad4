/**
 * The inputs that tell a graph where its tokens stand: rotary tables, causal mask, lengths.
 * @module
 */
import type { Graph } from '@awq/onnx'
import { type Tensor, tensor } from '@awq/ort'
import type { AttentionForm, SequenceInputs } from './attention.ts'
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

/** Declares the inputs a form of attention needs. Their names are those of `sequenceFeeds`. */
export const declareSequence = (graph: Graph, config: ModelConfig, form: AttentionForm): SequenceInputs => {
  const half = config.headDim / 2
  const tables = {
    cos: graph.input('rope.cos', 'float32', ['positions', half]),
    sin: graph.input('rope.sin', 'float32', ['positions', half]),
  }
  if (form === 'plain')
    return {
      ...tables,
      start: graph.input('start', 'int64', [1]),
      mask: graph.input('mask', 'float32', ['mask rows', 'mask columns']),
    }
  const lengths = {
    lastPosition: graph.input('last_position', 'int32', ['batch']),
    totalLength: graph.input('total_length', 'int32', []),
  }
  return config.headDim % 16 === 0
    ? { ...tables, ...lengths }
    : { ...tables, ...lengths, start: graph.input('start', 'int64', [1]) }
}

/**
 * The mask of the plain form, float32 `[heads / kvHeads * length, capacity + length]`. The first `capacity` columns
 * are the slots of the cache, of which `past` are filled; the others are the new tokens.
 */
export const causalMask = (config: ModelConfig, { past, length, capacity }: Positions): Tensor => {
  const shared = config.heads / config.kvHeads
  const window = config.slidingWindow ?? Number.POSITIVE_INFINITY
  const columns = capacity + length
  const mask = new Float32Array(shared * length * columns).fill(-1e30)
  for (let row = 0; row < length; row++) {
    const position = past + row
    const first = Math.max(0, position - window + 1)
    const line = mask.subarray(row * columns, (row + 1) * columns)
    if (first < past) line.fill(0, first, past)
    line.fill(0, capacity + Math.max(0, first - past), capacity + row + 1)
  }
  for (let copy = 1; copy < shared; copy++) mask.copyWithin(copy * length * columns, 0, length * columns)
  return tensor('float32', [shared * length, columns], mask)
}

/** Rotary tables as feeds, for sequences of at most `positions` tokens. */
export const ropeFeeds = (config: ModelConfig, positions: number): Record<string, Tensor> => {
  const tables = ropeTables(config.rope, config.headDim, positions)
  const shape = [positions, config.headDim / 2]
  return { 'rope.cos': tensor('float32', shape, tables.cos), 'rope.sin': tensor('float32', shape, tables.sin) }
}

/** Feeds for `declareSequence`, without the rotary tables. */
export const sequenceFeeds = (
  config: ModelConfig,
  form: AttentionForm,
  positions: Positions,
  batch = 1,
): Record<string, Tensor> => {
  const start = { start: tensor('int64', [1], BigInt64Array.of(BigInt(positions.past))) }
  if (form === 'plain') return { ...start, mask: causalMask(config, positions) }
  const total = positions.past + positions.length
  return {
    ...(config.headDim % 16 === 0 ? {} : start),
    last_position: tensor('int32', [batch], new Int32Array(batch).fill(total - 1)),
    total_length: tensor('int32', [], Int32Array.of(total)),
  }
}
