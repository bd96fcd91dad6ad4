/**
 * Images in several runs of a vision graph, where its tiles together would take more memory than one run should.
 * @module
 */
import { type Feeds, type Tensor, tensor } from '@awq/ort'
import type { VisionDescription } from './describe-vision.ts'
import { type ImageFeeds, imageFeeds, type PreparedImage } from './image-feeds.ts'

/** The runs of one image. */
export interface ImageRuns extends Pick<ImageFeeds, 'rows' | 'grid'> {
  /** What each run is fed. */
  readonly feeds: readonly Feeds[]
  /** Makes the image's rows `[rows, hidden]` of each run's `features`. */
  join(features: readonly Float32Array[]): Float32Array
}

/**
 * Patches that go through a tower at once unless told otherwise: 7 tiles of LLaVA's, 4 of SmolVLM's, one of Gemma 3's. More in one
 * run are hardly faster: each product has thousands of rows already.
 */
export const defaultPatchesAtOnce = 4096

const tilesFrom = ({ shape, data }: Tensor, first: number, end: number): Tensor => {
  const [, ...tile] = shape
  const each = tile.reduce((product, dim) => product * dim, 1)
  return tensor(
    'float32',
    [end - first, ...tile],
    (data as Float32Array<ArrayBuffer>).subarray(first * each, end * each),
  )
}

const joined = (parts: readonly Float32Array[]): Float32Array => {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** The largest index of an order is the row that ends lines, behind those of all tiles. */
const newlineOf = (order: BigInt64Array): number => Math.max(...Array.from(order, Number))

/** Rows by their order, as the graph itself gathers them where all tiles are in one run. */
const gathered = (rows: Float32Array, order: BigInt64Array, width: number): Float32Array => {
  const result = new Float32Array(order.length * width)
  for (const [to, from] of order.entries())
    result.set(rows.subarray(Number(from) * width, (Number(from) + 1) * width), to * width)
  return result
}

/**
 * What a vision graph is fed for an image, at most `patchesAtOnce` patches (but one tile) in a run. Patches of an image that is no
 * tiles see each other, and are one run.
 * @throws AwqError as `imageFeeds`
 */
export const imageRuns = (
  vision: VisionDescription,
  image: PreparedImage,
  patchesAtOnce = defaultPatchesAtOnce,
): ImageRuns => {
  const { feeds, rows, grid } = imageFeeds(vision, image)
  const { pixelValues } = image
  const [tiles = 1, , height = 0, width = 0] = pixelValues.shape
  const { pixels } = vision.tower
  const patches = Math.floor(height / pixels.patch) * Math.floor(width / pixels.patch)
  const atOnce = pixels.kind === 'tiles' ? Math.max(1, Math.floor(patchesAtOnce / patches)) : tiles
  if (tiles <= atOnce)
    return { feeds: [{ ...feeds, pixel_values: pixelValues }], rows, grid, join: ([features]) => features! }
  const order = feeds.order?.data as BigInt64Array | undefined
  /** Rows of a tile; where tiles are put together, one more ends each run. */
  const each = (order ? newlineOf(order) : rows) / tiles
  const runs: Feeds[] = []
  for (let first = 0; first < tiles; first += atOnce) {
    const end = Math.min(tiles, first + atOnce)
    const count = (end - first) * each + 1
    const asTheyAre = BigInt64Array.from({ length: count }, (_, i) => BigInt(i))
    runs.push({
      pixel_values: tilesFrom(pixelValues, first, end),
      ...(order ? { order: tensor('int64', [count], asTheyAre) } : {}),
    })
  }
  const join = (features: readonly Float32Array[]): Float32Array => {
    if (!order) return joined(features)
    const last = features.at(-1)!
    const parts = features.slice(0, -1).map((part) => part.subarray(0, part.length - vision.rowSize))
    return gathered(joined([...parts, last]), order, vision.rowSize)
  }
  return { feeds: runs, rows, grid, join }
}
