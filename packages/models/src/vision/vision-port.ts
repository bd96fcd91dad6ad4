/**
 * How a vision graph meets its caller: what its inputs are called and what they say, and what becomes of the features.
 * @module
 */
import type { Graph, Value } from '@awq/onnx'
import type { Size } from './any-resolution.ts'
import { patchValues, type VisionDescription } from './describe-vision.ts'
import type { TowerInputs } from './emit-tower-attention.ts'

/** The inputs of a vision graph, declared. */
export interface VisionInputs {
  /** float32 `[tiles, channels, height, width]`, or patches `[patches, values]`, as `PixelInput` says. */
  readonly pixels: Value
  readonly tower: TowerInputs
  /** Where tiles are put together again: int64 `[order]`, as `packingOrder` makes it; absent leaves them as they come. */
  readonly order?: Value | undefined
  /** Makes an output of the features, float32 `[rows, hidden]`. */
  readonly finish: (features: Value) => void
}

/** A way of meeting callers. */
export type VisionPort = (
  graph: Graph,
  request: { readonly vision: VisionDescription; readonly tile: Size },
) => VisionInputs

/** That of our own runtime. Inputs: `pixel_values` and those that `imageFeeds` gives. Output: `features`. */
export const servingVisionPort: VisionPort = (graph, { vision: { tower, anyResolution }, tile }) => {
  const { pixels } = tower
  const shape = pixels.kind === 'tiles' ? ['tiles', pixels.channels, ...tile] : ['patches', patchValues(tower)]
  const half = tower.hiddenSize / tower.heads / 2
  const side = tower.blocks.some(({ windowed }) => windowed) ? tower.window! ** 2 : 0
  return {
    pixels: graph.input('pixel_values', 'float32', shape),
    tower: {
      rope: tower.rope && {
        cos: graph.input('rope.cos', 'float32', ['patches', half]),
        sin: graph.input('rope.sin', 'float32', ['patches', half]),
      },
      windows:
        side > 0
          ? {
              tokens: graph.input('windows.tokens', 'int64', ['windows', side]),
              bias: graph.input('windows.bias', 'float32', ['windows', 1, 1, side]),
              places: graph.input('windows.places', 'int64', ['patches']),
            }
          : null,
    },
    ...(anyResolution ? { order: graph.input('order', 'int64', ['order']) } : {}),
    finish: (features) => graph.output('features', features),
  }
}
