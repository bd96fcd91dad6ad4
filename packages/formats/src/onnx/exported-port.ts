/**
 * How decoder graphs for other programs meet their callers: transformers.js and onnxruntime-genai feed the names of
 * optimum's exports, a mask in place of lengths, and take the whole cache back.
 * @module
 */
import {
  type ActivationType,
  type DecoderPort,
  emitRopeTables,
  type MaskNeed,
  needsKeyPositions,
  needsStart,
  type PortRequest,
  ropePositions,
  type SequenceInputs,
} from '@awq/models'
import { type Graph, int64s, reshape, scalar, type Value } from '@awq/onnx'
import { embeddedTokens } from './embedded-tokens.ts'
import { hasThreeParts, threePartRopes } from './three-part-ropes.ts'

/** What differs between the programs. */
export interface ExportedPort {
  /**
   * On which side shorter sequences of a batch are padded. `left`: tokens of all sequences end in the same column, and
   * columns where the mask is zero are hidden. `right`: each sequence has as many tokens as its mask has ones, and the
   * cache keeps them together.
   */
  readonly padding: 'left' | 'right'
  /** `kept`: the input `num_logits_to_keep` says how many of the last tokens have logits, 0 for all; `all`: all have. */
  readonly logits: 'kept' | 'all'
  /** The caller embeds tokens, those of images among them: see `embedded-tokens.ts`. The form of attention is then plain. */
  readonly embeds?: true | undefined
}

/** Positions that rotary tables are made for at most: 64 MiB of float32 tables for heads of 128. */
export const MAX_POSITIONS = 2 ** 17

/** Positions that an exported graph takes. */
export const exportedPositions = (description: PortRequest['description']): number =>
  Math.min(ropePositions(description), MAX_POSITIONS)

/** What is added to scores of columns that are hidden: their weights are zero, and a row of nothing else stays finite. */
const HIDDEN: Readonly<Record<ActivationType, number>> = { float32: -1e30, float16: -3e4 }

const size = (graph: Graph, x: Value, axis: number): Value => graph.add('Shape', [x], { start: axis, end: axis + 1 })

/** 0 where `visible`, else what hides a column. */
const shade = (graph: Graph, visible: Value, dtype: ActivationType): Value =>
  graph.add('Where', [visible, scalar(graph, dtype, 0), scalar(graph, dtype, HIDDEN[dtype])])

/** What every column of the cache holds, `[batch, 1, 1, total]`: true for a token. */
const filled = (graph: Graph, mask: Value): Value => {
  const columns = graph.add('Unsqueeze', [mask, int64s(graph, [1, 2])])
  return graph.add('Not', [graph.add('Equal', [columns, scalar(graph, 'int64', 0)])])
}

/** The position of every column, int64 `[batch, total]`: how many tokens are before it. */
const columnPositions = (graph: Graph, mask: Value): Value =>
  graph.add('CumSum', [mask, scalar(graph, 'int64', 1)], { exclusive: 1 })

/** The position of every new token, int64 `[batch, sequence]`. */
const newPositions = (graph: Graph, tokens: Value, positions: Value): Value => {
  const first = graph.add('Neg', [size(graph, tokens, 1)])
  const ends = [int64s(graph, [2 ** 31 - 1]), int64s(graph, [1])]
  return graph.add('Slice', [positions, first, ...ends], {}, { shape: ['batch_size', 'sequence_length'] })
}

/** Which columns new tokens of a group see besides: none of those in front of the new ones. */
const inAllColumns = (graph: Graph, together: Value, tokens: Value, mask: Value): Value => {
  const past = graph.add('Sub', [size(graph, mask, 1), size(graph, tokens, 1)])
  const zeros = int64s(graph, [0, 0, 0])
  const pads = graph.add('Concat', [zeros, past, int64s(graph, [0, 0, 0, 0])], { axis: 0 })
  const counted = graph.add('Pad', [graph.add('Cast', [together], { to: 'int64' }), pads])
  return graph.add('And', [graph.add('Greater', [counted, scalar(graph, 'int64', 0)]), filled(graph, mask)])
}

/** What masks are made of. */
interface MaskParts {
  /** The new tokens, in any form. */
  readonly tokens: Value
  readonly mask: Value
  /** Of every column, and of every new token. */
  readonly positions: Value
  readonly rows: Value
  /** As of `EmbeddedTokens`; `windowed` says that a window hides those before it all the same. */
  readonly together?: Value | undefined
  readonly windowed: boolean
}

/**
 * The masks of the plain form, `[batch, 1, copies * sequence, total]`: a token sees those whose position is not after its
 * own, nor a window before it, wherever padding is; and those of its group.
 */
const plainMasks = (
  graph: Graph,
  { tokens, mask, positions, rows: last, together, windowed }: MaskParts,
  needs: readonly MaskNeed[],
  dtype: ActivationType,
): Value[] => {
  const columns = graph.add('Unsqueeze', [positions, int64s(graph, [1, 2])])
  const rows = graph.add('Unsqueeze', [last, int64s(graph, [1, 3])])
  const past = graph.add('And', [graph.add('LessOrEqual', [columns, rows]), filled(graph, mask)])
  const group = together && inAllColumns(graph, together, tokens, mask)
  return needs.map(({ window, copies }) => {
    const near = window
      ? graph.add('Greater', [columns, graph.add('Sub', [rows, scalar(graph, 'int64', window)])])
      : undefined
    const within = (seen: Value): Value => (near ? graph.add('And', [seen, near]) : seen)
    const causal = within(past)
    const seen = group ? graph.add('Or', [causal, windowed ? within(group) : group]) : causal
    const one = shade(graph, seen, dtype)
    return copies === 1 ? one : graph.add('Concat', new Array<Value>(copies).fill(one), { axis: 2 })
  })
}

/** The same for linear biases, float32 `[batch, 1, 1, total]`. */
const biasPositions = (graph: Graph, positions: Value): Value =>
  graph.add('Cast', [graph.add('Unsqueeze', [positions, int64s(graph, [1, 2])])], { to: 'float32' })

const fusedInputs = (
  graph: Graph,
  ids: Value,
  mask: Value,
  dtype: ActivationType,
  { padding }: ExportedPort,
): Pick<SequenceInputs, 'lastPosition' | 'totalLength' | 'bias'> => {
  const int32 = (x: Value) => graph.add('Cast', [x], { to: 'int32' })
  const total = size(graph, mask, 1)
  const totalLength = int32(reshape(graph, total, []))
  const last = (length: Value) => int32(graph.add('Sub', [length, scalar(graph, 'int64', 1)]))
  if (padding === 'right') {
    const length = graph.add('ReduceSum', [mask, int64s(graph, [1])], { keepdims: 0 })
    return { totalLength, lastPosition: last(length) }
  }
  const batch = size(graph, mask, 0)
  const one = int64s(graph, [1])
  const rows = graph.add('Concat', [one, one, size(graph, ids, 1), one], { axis: 0 })
  const bias = graph.add(
    'Expand',
    [shade(graph, filled(graph, mask), dtype), rows],
    {},
    { shape: ['batch_size', 1, 'sequence_length', 'total_sequence_length'] },
  )
  return { totalLength, lastPosition: graph.add('Expand', [last(total), batch], {}, { shape: ['batch_size'] }), bias }
}

/** int64 `[1]`: the first token that has logits. */
const firstKept = (graph: Graph, ids: Value): Value => {
  const count = reshape(graph, graph.input('num_logits_to_keep', 'int64', []), [1])
  const zero = scalar(graph, 'int64', 0)
  const from = graph.add('Max', [graph.add('Sub', [size(graph, ids, 1), count]), zero])
  return graph.add('Where', [graph.add('Greater', [count, zero]), from, zero])
}

/**
 * Inputs: `input_ids` int64 `[batch_size, sequence_length]`, or `inputs_embeds`; `attention_mask` int64
 * `[batch_size, total_sequence_length]`; `position_ids` int64 `[batch_size, sequence_length]`, where positions are looked
 * up by nodes of their own, and `[3, batch_size, sequence_length]` where they have three parts and the caller embeds;
 * `num_logits_to_keep`, as the port says; and for each layer `past_key_values.N.key` and `.value`
 * `[batch_size, kvHeads, past_sequence_length, headDim]`. Outputs for each layer: `present.N.key` and `.value`, past and
 * new rows.
 */
export const exportedPort =
  (port: ExportedPort): DecoderPort =>
  (graph, { description, attention, dtype }) => {
    const { sequence: needs } = description
    const given = port.embeds
      ? embeddedTokens(graph, description, dtype)
      : { ids: graph.input('input_ids', 'int64', ['batch_size', 'sequence_length']) }
    const tokens = 'ids' in given ? given.ids : given.embedded
    const mask = graph.input('attention_mask', 'int64', ['batch_size', 'total_sequence_length'])
    const threeParts = port.embeds !== undefined && hasThreeParts(description)
    const ownStart = () =>
      needsStart(needs, attention) ? graph.input('position_ids', 'int64', ['batch_size', 'sequence_length']) : undefined
    const start = threeParts ? undefined : ownStart()
    const logitsFrom = port.logits === 'kept' ? firstKept(graph, tokens) : undefined
    const plain = () => {
      const positions = columnPositions(graph, mask)
      const rows = newPositions(graph, tokens, positions)
      const together = 'together' in given ? given.together : undefined
      const windowed = description.vision?.attention === 'image'
      return {
        rows,
        masks: plainMasks(graph, { tokens, mask, positions, rows, together, windowed }, needs.masks, dtype),
        keyPositions: needsKeyPositions(needs) ? biasPositions(graph, positions) : undefined,
      }
    }
    const limit = exportedPositions(description)
    const sequence = (): SequenceInputs => {
      if (attention === 'fused') {
        const ropes = emitRopeTables(graph, description, attention, limit, dtype)
        return { needs, ropes, start, masks: [], ...fusedInputs(graph, tokens, mask, dtype, port) }
      }
      const { rows, ...masks } = plain()
      if (threeParts) return { needs, ...masks, ...threePartRopes(graph, description, attention, limit, rows, dtype) }
      return { needs, ropes: emitRopeTables(graph, description, attention, limit, dtype), start, ...masks }
    }
    return {
      tokens: given,
      logitsFrom,
      sequence: sequence(),
      past: (layer, { kvHeads, headDim, valueDim = headDim }) => {
        const declare = (part: string, width: number): Value =>
          graph.input(`past_key_values.${layer}.${part}`, dtype, ['batch_size', kvHeads, 'past_sequence_length', width])
        return { key: declare('key', headDim), value: declare('value', valueDim) }
      },
      present: (layer, made, past) => {
        for (const part of ['key', 'value'] as const) {
          const whole = attention === 'fused' ? made[part] : graph.add('Concat', [past[part], made[part]], { axis: 2 })
          graph.output(`present.${layer}.${part}`, whole)
        }
      },
    }
  }
