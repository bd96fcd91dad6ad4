/**
 * Where patches stand in their images, by nodes over the images' grids: what `imageFeeds` of @awq/models computes for one image,
 * for callers that give the grids of several at once.
 * @module
 */
import type { VisionDescription, VisionInputs } from '@awq/models'
import { type Graph, int64s, reshape, scalar, type Value } from '@awq/onnx'

/** Added to scores of slots that hold nothing: small enough for float16, and no exponential is left of it. */
const EMPTY = -1e4

/** Arithmetic of int64 values. */
const arithmetic = (graph: Graph) => {
  const of = (x: Value | number): Value => (typeof x === 'number' ? scalar(graph, 'int64', x) : x)
  const binary = (op: 'Add' | 'Sub' | 'Mul' | 'Div' | 'Mod') => (a: Value | number, b: Value | number) =>
    graph.add(op, [of(a), of(b)])
  return {
    ...{ plus: binary('Add'), minus: binary('Sub'), times: binary('Mul'), over: binary('Div'), rest: binary('Mod') },
    /** What comes before each of a list. */
    before: (x: Value): Value => graph.add('CumSum', [x, scalar(graph, 'int64', 0)], { exclusive: 1 }),
    total: (x: Value): Value => graph.add('ReduceSum', [x], { keepdims: 0 }),
    most: (x: Value): Value => graph.add('ReduceMax', [x], { keepdims: 0 }),
    pick: (list: Value, at: Value): Value => graph.add('Gather', [list, at], { axis: 0 }),
  }
}

/** Puts patches into slots: `[rows, slots]` each. @param place int64 `[patches]`, a slot of its own for each patch */
const placed = (
  graph: Graph,
  patch: Value,
  place: Value,
  rows: Value,
  slots: Value,
): { readonly tokens: Value; readonly bias: Value } => {
  const shape = graph.add('Concat', [reshape(graph, rows, [1]), reshape(graph, slots, [1])], { axis: 0 })
  const count = reshape(graph, graph.add('Mul', [rows, slots]), [1])
  const scattered = (empty: Value, values: Value): Value =>
    graph.add('Reshape', [graph.add('ScatterElements', [graph.add('Expand', [empty, count]), place, values]), shape])
  const zeros = graph.add('Cast', [graph.add('Mul', [patch, scalar(graph, 'int64', 0)])], { to: 'float32' })
  return {
    tokens: scattered(int64s(graph, [0]), patch),
    bias: scattered(graph.constant('float32', [1], [EMPTY]), zeros),
  }
}

/**
 * Where patches stand, for a tower.
 * @param grids int64 `[images, 3]`: frames, rows and columns of each image's patches
 * @param pixels `[patches, values]`
 */
export const patchGrid = (
  graph: Graph,
  { tower }: VisionDescription,
  grids: Value,
  pixels: Value,
): VisionInputs['tower'] => {
  if (tower.pixels.kind !== 'patches') throw new TypeError('the tower is given tiles')
  const { merge } = tower.pixels
  const { plus, minus, times, over, rest, before, total, most, pick } = arithmetic(graph)
  const columnOf = (at: number): Value => graph.add('Gather', [grids, scalar(graph, 'int64', at)], { axis: 1 })
  const [frames, rows, columns] = [columnOf(0), columnOf(1), columnOf(2)]
  const area = times(rows, columns)
  const whole = times(frames, area)
  const count = reshape(graph, graph.add('Shape', [pixels], { start: 0, end: 1 }), [])
  const patch = graph.add('Range', [scalar(graph, 'int64', 0), count, scalar(graph, 'int64', 1)])
  // The image of a patch: how many end before it.
  const ends = graph.add('Unsqueeze', [plus(before(whole), whole), int64s(graph, [0])])
  const passed = graph.add('GreaterOrEqual', [graph.add('Unsqueeze', [patch, int64s(graph, [1])]), ends])
  const image = graph.add('ReduceSum', [graph.add('Cast', [passed], { to: 'int64' }), int64s(graph, [1])], {
    keepdims: 0,
  })
  const inImage = minus(patch, pick(before(whole), image))
  const [frame, inFrame] = [over(inImage, pick(area, image)), rest(inImage, pick(area, image))]
  const [block, unit] = [over(inFrame, merge * merge), rest(inFrame, merge * merge)]
  const across = over(pick(columns, image), merge)
  const y = plus(times(over(block, across), merge), over(unit, merge))
  const x = plus(times(rest(block, across), merge), rest(unit, merge))

  const place = plus(times(plus(pick(before(frames), image), frame), most(area)), inFrame)
  const images = { ...placed(graph, patch, place, total(frames), most(area)), places: place }

  const side = tower.blocks.some(({ windowed }) => windowed) ? tower.window! : 0
  const windows = () => {
    const cut = (length: Value): Value => over(plus(length, side - 1), side)
    const [down, wide] = [cut(rows), cut(columns)]
    const each = times(down, wide)
    const first = plus(pick(before(times(frames, each)), image), times(frame, pick(each, image)))
    const window = plus(first, plus(times(over(y, side), pick(wide, image)), over(x, side)))
    const at = plus(times(window, side * side), plus(times(rest(y, side), side), rest(x, side)))
    const slots = scalar(graph, 'int64', side * side)
    const { tokens, bias } = placed(graph, patch, at, total(times(frames, each)), slots)
    return {
      tokens: reshape(graph, tokens, [-1, side * side]),
      bias: reshape(graph, bias, [-1, 1, 1, side * side]),
      places: at,
    }
  }

  const rope = tower.rope && {
    ...((): { cos: Value; sin: Value } => {
      const quarter = tower.hiddenSize / tower.heads / 4
      const { theta } = tower.rope!
      const frequencies = Float32Array.from(
        { length: quarter },
        (_, i) => 1 / Math.fround(theta ** Math.fround((2 * i) / (2 * quarter))),
      )
      const turns = graph.constant('float32', [1, quarter], frequencies)
      const angle = (at: Value): Value =>
        graph.add('Mul', [
          graph.add('Unsqueeze', [graph.add('Cast', [at], { to: 'float32' }), int64s(graph, [1])]),
          turns,
        ])
      const angles = graph.add('Concat', [angle(y), angle(x)], { axis: 1 })
      return { cos: graph.add('Cos', [angles]), sin: graph.add('Sin', [angles]) }
    })(),
  }
  return { rope, windows: side > 0 ? windows() : null, images }
}
