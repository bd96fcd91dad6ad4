/**
 * What a vision graph is fed beside the pixels, and how many rows of features it makes: from an image's size alone.
 * @module
 */
import { type Tensor, tensor } from '@awq/ort'
import { AwqError } from '@awq/tensor'
import { packingOrder, type Size } from './any-resolution.ts'
import { patchValues, type VisionDescription } from './describe-vision.ts'
import { gridRotation, type PatchGrid, patchWindows } from './grid.ts'

/** One image as its processor prepared it. */
export interface PreparedImage {
  /** float32: tiles `[tiles, channels, height, width]`, or patches `[patches, values]`. */
  readonly pixelValues: Tensor
  /** Rows and columns of patches, for towers that are given patches. */
  readonly grid?: PatchGrid | undefined
  /** Of the image before it was resized, for families that put tiles together again. */
  readonly size?: Size | undefined
}

/** What goes with the pixels, and what comes of them. */
export interface ImageFeeds {
  readonly feeds: Readonly<Record<string, Tensor>>
  /** Rows of features. */
  readonly rows: number
  /** Rows and columns of features, where they form one rectangle in order. */
  readonly grid?: PatchGrid | undefined
}

const refuse = (message: string): never => {
  throw new AwqError('INVALID_ARGUMENT', `image: ${message}; does the processor's configuration belong to this model?`)
}

const shared = (image: PreparedImage, expected: readonly (number | null)[]): readonly number[] => {
  const { shape, dtype } = image.pixelValues
  const fits = shape.length === expected.length && shape.every((dim, i) => dim > 0 && (expected[i] ?? dim) === dim)
  const wanted = expected.map((dim) => dim ?? '*').join(', ')
  return fits && dtype === 'float32'
    ? shape
    : refuse(`pixel values are ${dtype} [${shape.join(', ')}], not float32 [${wanted}]`)
}

const ofPatches = (vision: VisionDescription, image: PreparedImage): ImageFeeds => {
  const { tower } = vision
  if (tower.pixels.kind !== 'patches') return refuse('it was cut into patches, which this tower does by itself')
  const { merge } = tower.pixels
  const [patches] = shared(image, [null, patchValues(tower)])
  const { grid } = image
  if (!grid || grid.rows * grid.columns !== patches || grid.rows % merge !== 0 || grid.columns % merge !== 0)
    return refuse(
      `${patches} patches are no grid of ${grid?.rows ?? '?'} x ${grid?.columns ?? '?'} in squares of ${merge}`,
    )
  const feeds: Record<string, Tensor> = {}
  if (tower.rope) {
    const headDim = tower.hiddenSize / tower.heads
    const { cos, sin } = gridRotation(grid, merge, headDim, tower.rope.theta)
    feeds['rope.cos'] = tensor('float32', [patches!, headDim / 2], cos)
    feeds['rope.sin'] = tensor('float32', [patches!, headDim / 2], sin)
  }
  if (tower.window !== null && tower.blocks.some(({ windowed }) => windowed)) {
    const { count, tokens, bias, places } = patchWindows(grid, merge, tower.window)
    const slots = tower.window ** 2
    feeds['windows.tokens'] = tensor('int64', [count, slots], tokens)
    feeds['windows.bias'] = tensor('float32', [count, 1, 1, slots], bias)
    feeds['windows.places'] = tensor('int64', [patches!], places)
  }
  const merged = { rows: grid.rows / merge, columns: grid.columns / merge }
  return { feeds, rows: merged.rows * merged.columns, grid: merged }
}

/** Features along the sides of a tile of so many pixels. */
export const tileFeatures = (vision: VisionDescription, [height, width]: Size): PatchGrid => {
  const { tower, projector } = vision
  const { patch } = tower.pixels
  const factor = projector.rearrange?.factor ?? 1
  const grid = { rows: Math.floor(height / patch / factor), columns: Math.floor(width / patch / factor) }
  return grid.rows > 0 && grid.columns > 0 ? grid : refuse(`tiles of ${height} x ${width} pixels are too small`)
}

const ofTiles = (vision: VisionDescription, image: PreparedImage): ImageFeeds => {
  const { tower, anyResolution } = vision
  if (tower.pixels.kind !== 'tiles') return refuse('it was not cut into patches')
  const { channels, size, patch } = tower.pixels
  const any = tower.positions?.lookup === 'buckets'
  const [tiles, , height, width] = shared(image, [null, channels, any ? null : size, any ? null : size])
  if (any && (height! % patch !== 0 || width! % patch !== 0))
    return refuse(`tiles of ${height} x ${width} pixels do not fall into patches of ${patch}`)
  const { rows, columns } = tileFeatures(vision, [height!, width!])
  const each = rows * columns + (tower.classToken && !tower.dropsClass ? 1 : 0)
  if (!anyResolution) return { feeds: {}, rows: tiles! * each }
  if (!image.size) return refuse('its size before it was resized is missing')
  const packing = { sizes: anyResolution.pinpoints, tile: size, side: rows, tiles: tiles! }
  const order = packingOrder(image.size, packing)
  if (order.some((at) => at > tiles! * each)) return refuse(`there are ${tiles} tiles, fewer than its size asks for`)
  return { feeds: { order: tensor('int64', [order.length], BigInt64Array.from(order, BigInt)) }, rows: order.length }
}

/**
 * Feeds for the inputs of `emitVision` beside `pixel_values`.
 * @throws AwqError `INVALID_ARGUMENT` for pixels that this tower can not be given
 */
export const imageFeeds = (vision: VisionDescription, image: PreparedImage): ImageFeeds =>
  vision.tower.pixels.kind === 'patches' ? ofPatches(vision, image) : ofTiles(vision, image)
