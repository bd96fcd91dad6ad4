/**
 * Attention of vision towers: all tokens of a tile, of an image or of a window see each other.
 * @module
 */
import { type Graph, int64s, reshape, scalar, type Value } from '@awq/onnx'
import type { AttentionStep } from '../steps.ts'

/** Inputs that say where patches stand. */
export interface TowerInputs {
  /** `[patches, headDim / 2]` each. */
  readonly rope: { readonly cos: Value; readonly sin: Value } | null
  /** As `patchWindows` makes them: `[windows, slots]`, `[windows, 1, 1, slots]`, `[patches]`. */
  readonly windows: { readonly tokens: Value; readonly bias: Value; readonly places: Value } | null
  /** The same for images that do not see each other, `bias` `[images, slots]`; absent where there is one alone, or tiles. */
  readonly images?: { readonly tokens: Value; readonly bias: Value; readonly places: Value } | undefined
}

const gather = (graph: Graph, x: Value, tokens: Value, width: number): Value =>
  graph.add('Gather', [reshape(graph, x, [-1, width]), tokens], { axis: 0 })

const putBack = (graph: Graph, mixed: Value, places: Value, width: number): Value =>
  reshape(graph, graph.add('Gather', [reshape(graph, mixed, [-1, width]), places], { axis: 0 }), [1, -1, width])

/** What heads are widened by: vectors of four are what kernels load. */
const EXTRA = 4

/**
 * Images of different sizes, each in a row of slots. What hides empty slots is one more element of every key, which the
 * queries meet with a one: a bias for all scores would be as large as they are, which kernels for long rows never are.
 */
const attendByImage = (
  graph: Graph,
  [query, key, value]: readonly [Value, Value, Value],
  { heads, headDim, scale }: AttentionStep,
  { tokens, bias, places }: NonNullable<TowerInputs['images']>,
): Value => {
  const width = heads * headDim
  const { dtype } = query
  const headed = (x: Value): Value =>
    graph.add('Reshape', [gather(graph, x, tokens, width), int64s(graph, [0, 0, heads, headDim])])
  const widened = (x: Value, extra: Value): Value => {
    const all = graph.add('Concat', [headed(x), extra], { axis: 3 })
    return graph.add('Reshape', [all, int64s(graph, [0, 0, heads * (headDim + EXTRA)])])
  }
  const hidden = bias.dtype === dtype ? bias : graph.add('Cast', [bias], { to: dtype })
  const column = graph.add('Unsqueeze', [hidden, int64s(graph, [2, 3])])
  const first = graph.constant(
    dtype as 'float32',
    [1, 1, 1, EXTRA],
    dtype === 'float16' ? [0x3c00, 0, 0, 0] : [1, 0, 0, 0],
  )
  const spread = graph.add('Expand', [column, int64s(graph, [1, 1, heads, EXTRA])])
  const ofKeys = graph.add('Mul', [spread, first])
  const zeros = graph.add('Mul', [spread, scalar(graph, dtype, 0)])
  const ofQueries = graph.add('Add', [zeros, first])
  const given = [widened(query, ofQueries), widened(key, ofKeys), gather(graph, value, tokens, width)] as const
  return putBack(graph, graph.add('MultiHeadAttention', given, { num_heads: heads, scale }), places, width)
}

/**
 * Adds attention over values `[tiles, tokens, hidden]`. In windows, tokens are gathered window by window first and put back
 * afterwards, so that nothing else of the tower knows of their order.
 */
export const emitTowerAttention = (
  graph: Graph,
  step: AttentionStep,
  read: (name: string) => Value,
  { rope, windows, images }: TowerInputs,
  inWindows: boolean,
): Value => {
  const { heads, headDim, scale } = step
  const width = heads * headDim
  const turned = (x: Value): Value =>
    rope ? graph.add('RotaryEmbedding', [x, int64s(graph, [0]), rope.cos, rope.sin], { num_heads: heads }) : x
  const [query, key, value] = [turned(read(step.query)), turned(read(step.key)), read(step.value)]
  const attributes = { num_heads: heads, scale }
  if (!inWindows && images) return attendByImage(graph, [query, key, value], step, images)
  if (!inWindows || !windows) return graph.add('MultiHeadAttention', [query, key, value], attributes)
  const slots = windows.tokens.shape[1] as number
  const gathered = (x: Value): Value => gather(graph, x, windows.tokens, width)
  const typed =
    windows.bias.dtype === query.dtype ? windows.bias : graph.add('Cast', [windows.bias], { to: query.dtype })
  const bias = graph.add('Tile', [typed, int64s(graph, [1, 1, slots, 1])])
  const inside = [gathered(query), gathered(key), gathered(value)] as const
  const mixed = graph.add('MultiHeadAttention', [...inside, null, null, bias], attributes)
  return putBack(graph, mixed, windows.places, width)
}
