/**
 * Attention of vision towers: all tokens of a tile, of an image or of a window see each other.
 * @module
 */
import { type Graph, int64s, reshape, type Value } from '@awq/onnx'
import type { AttentionStep } from '../steps.ts'

/** Inputs that say where patches stand. */
export interface TowerInputs {
  /** `[patches, headDim / 2]` each. */
  readonly rope: { readonly cos: Value; readonly sin: Value } | null
  /** As `patchWindows` makes them: `[windows, slots]`, `[windows, 1, 1, slots]`, `[patches]`. */
  readonly windows: { readonly tokens: Value; readonly bias: Value; readonly places: Value } | null
}

/**
 * Adds attention over values `[tiles, tokens, hidden]`. In windows, tokens are gathered window by window first and put back
 * afterwards, so that nothing else of the tower knows of their order.
 */
export const emitTowerAttention = (
  graph: Graph,
  step: AttentionStep,
  read: (name: string) => Value,
  { rope, windows }: TowerInputs,
  inWindows: boolean,
): Value => {
  const { heads, headDim, scale } = step
  const width = heads * headDim
  const turned = (x: Value): Value =>
    rope ? graph.add('RotaryEmbedding', [x, int64s(graph, [0]), rope.cos, rope.sin], { num_heads: heads }) : x
  const [query, key, value] = [turned(read(step.query)), turned(read(step.key)), read(step.value)]
  const attributes = { num_heads: heads, scale }
  if (!inWindows || !windows) return graph.add('MultiHeadAttention', [query, key, value], attributes)
  const slots = windows.tokens.shape[1] as number
  const gathered = (x: Value): Value =>
    graph.add('Gather', [reshape(graph, x, [-1, width]), windows.tokens], { axis: 0 })
  const typed =
    windows.bias.dtype === query.dtype ? windows.bias : graph.add('Cast', [windows.bias], { to: query.dtype })
  const bias = graph.add('Tile', [typed, int64s(graph, [1, 1, slots, 1])])
  const inside = [gathered(query), gathered(key), gathered(value)] as const
  const mixed = graph.add('MultiHeadAttention', [...inside, null, null, bias], attributes)
  const back = graph.add('Gather', [reshape(graph, mixed, [-1, width]), windows.places], { axis: 0 })
  return reshape(graph, back, [1, -1, width])
}
