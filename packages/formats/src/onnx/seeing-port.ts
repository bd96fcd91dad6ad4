/**
 * How vision graphs meet transformers.js: by the names and shapes of the inputs that its processors make.
 * @module
 */
import type { ModelDescription, VisionPort } from '@awq/models'
import { type Graph, int64s, reshape, scalar, type Value } from '@awq/onnx'
import { withMark } from './embedded-tokens.ts'
import { patchGrid } from './patch-grid.ts'

/** Tiles without those that only fill up a batch: all their pixels are zero. */
const withoutFilling = (graph: Graph, tiles: Value): Value => {
  const most = graph.add('ReduceMax', [graph.add('Abs', [tiles]), int64s(graph, [1, 2, 3])], { keepdims: 0 })
  const kept = graph.add('Cast', [graph.add('Greater', [most, scalar(graph, 'float32', 0)])], { to: 'int64' })
  const count = graph.add('ReduceSum', [kept], { keepdims: 1 })
  // Those that are kept come first, in their order.
  const length = graph.add('Shape', [kept])
  const [, order] = graph.addAll('TopK', [kept, length], { axis: 0, largest: 1, sorted: 1 }, { outputs: 2 })
  const first = graph.add('Slice', [order!, int64s(graph, [0]), count], {}, { shape: ['kept'] })
  return graph.add('Gather', [tiles, first], { axis: 0 })
}

/** What the grid of patches is called, by `model_type`. */
const GRIDS: Readonly<Record<string, string>> = { qwen2_vl: 'grid_thw', qwen2_5_vl: 'image_grid_thw' }

/** Families whose images come as a batch of lists of tiles. */
const NESTED: ReadonlySet<string> = new Set(['idefics3', 'smolvlm'])

/**
 * Inputs: `pixel_values` float32 as the processor of the family makes it, and the grids of patches. Output: `image_features`
 * float32 `[rows, hidden]`, with the column of marks where `isMarked`.
 */
export const seeingPort =
  (description: ModelDescription): VisionPort =>
  (graph, { vision, tile }) => {
    const { tower } = vision
    const { modelType } = description.config
    const finish = (features: Value): void => {
      graph.output('image_features', withMark(graph, features, description, 1))
    }
    if (tower.pixels.kind === 'patches') {
      const { channels, frames, patch } = tower.pixels
      const pixels = graph.input('pixel_values', 'float32', ['patches', channels * frames * patch ** 2])
      const grids = graph.input(GRIDS[modelType] ?? 'image_grid_thw', 'int64', ['images', 3])
      return { pixels, tower: patchGrid(graph, vision, grids, pixels), finish }
    }
    const shape = [tower.pixels.channels, ...tile]
    if (!NESTED.has(modelType)) {
      const pixels = graph.input('pixel_values', 'float32', ['images', ...shape])
      return { pixels, tower: { rope: null, windows: null }, finish }
    }
    const lists = graph.input('pixel_values', 'float32', ['batch_size', 'tiles', ...shape])
    const pixels = withoutFilling(graph, reshape(graph, lists, [-1, ...shape]))
    return { pixels, tower: { rope: null, windows: null }, finish }
  }
