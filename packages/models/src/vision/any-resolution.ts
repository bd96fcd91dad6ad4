/**
 * Images of any size as several tiles (LLaVA-NeXT): which tiles there are, and how their features are put together.
 * @module
 */

/** Height and width. */
export type Size = readonly [height: number, width: number]

/**
 * The size that an image is resized into: the one that keeps most of its pixels, of those the one that wastes least.
 * @param sizes at least one; of equals the first
 */
export const bestResolution = ([height, width]: Size, sizes: readonly Size[]): Size => {
  let best = sizes[0]!
  let [most, least] = [-1, Number.POSITIVE_INFINITY]
  for (const size of sizes) {
    const scale = Math.min(size[1] / width, size[0] / height)
    const kept = Math.min(Math.trunc(width * scale) * Math.trunc(height * scale), width * height)
    const wasted = size[0] * size[1] - kept
    if (kept < most || (kept === most && wasted >= least)) continue
    best = size
    most = kept
    least = wasted
  }
  return best
}

/** The part of `current` that an image fills which was resized into it with its sides in proportion: first and last, by axis. */
const filled = ([height, width]: Size, current: Size): readonly [rows: Size, columns: Size] => {
  const inside = (all: number, part: number): Size => {
    const padding = Math.floor((all - Math.trunc(Number(part.toFixed(7)))) / 2)
    return [padding, all - padding]
  }
  return width / height > current[1] / current[0]
    ? [inside(current[0], height * (current[1] / width)), [0, current[1]]]
    : [[0, current[0]], inside(current[1], width * (current[0] / height))]
}

/**
 * The order of features in the prompt: those of the whole image, then those of the tiles row by row, without what only pads,
 * each row ended by the newline. Feature `tiles * side * side` is the newline.
 * @param size of the image before it was resized
 * @param tile pixels along the side of a tile
 * @param side features along the side of a tile
 * @param tiles with that of the whole image
 */
export const packingOrder = (
  size: Size,
  {
    sizes,
    tile,
    side,
    tiles,
  }: { readonly sizes: readonly Size[]; readonly tile: number; readonly side: number; readonly tiles: number },
): number[] => {
  const each = side * side
  const newline = tiles * each
  const whole = Array.from({ length: each }, (_, i) => i)
  if (tiles === 1) return [...whole, newline]
  const [down, across] = bestResolution(size, sizes).map((pixels) => Math.floor(pixels / tile)) as [number, number]
  const [[top, bottom], [left, right]] = filled(size, [down * side, across * side])
  const order = whole
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const at = 1 + Math.floor(y / side) * across + Math.floor(x / side)
      order.push(at * each + (y % side) * side + (x % side))
    }
    order.push(newline)
  }
  return order
}
