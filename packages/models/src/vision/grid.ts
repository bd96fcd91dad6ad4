/**
 * Where patches stand in their image: angles, windows and positions by row and column.
 * @module
 */

/** Rows and columns of patches; both are multiples of `merge` where patches are merged. */
export interface PatchGrid {
  readonly rows: number
  readonly columns: number
}

/**
 * Row and column of each patch, in an order in which `merge * merge` neighbours follow each other.
 * @returns two arrays `[rows * columns]`
 */
export const patchPlaces = ({ rows, columns }: PatchGrid, merge: number): { y: Int32Array; x: Int32Array } => {
  const y = new Int32Array(rows * columns)
  const x = new Int32Array(rows * columns)
  let at = 0
  for (let top = 0; top < rows; top += merge)
    for (let left = 0; left < columns; left += merge)
      for (let unit = 0; unit < merge * merge; unit++, at++) {
        y[at] = top + Math.floor(unit / merge)
        x[at] = left + (unit % merge)
      }
  return { y, x }
}

/**
 * Cosines and sines of a rotation by row and column: frequency i is `theta^(-2i / (headDim / 2))`; the first quarter of a head's
 * elements turn with the row, the second with the column.
 * @returns float32 `[patches, headDim / 2]` each
 */
export const gridRotation = (
  grid: PatchGrid,
  merge: number,
  headDim: number,
  theta: number,
): { readonly cos: Float32Array; readonly sin: Float32Array } => {
  const quarter = headDim / 4
  const frequencies = Float32Array.from(
    { length: quarter },
    (_, i) => 1 / Math.fround(theta ** Math.fround((2 * i) / (headDim / 2))),
  )
  const { y, x } = patchPlaces(grid, merge)
  const cos = new Float32Array(y.length * 2 * quarter)
  const sin = new Float32Array(y.length * 2 * quarter)
  for (let patch = 0; patch < y.length; patch++)
    for (let i = 0; i < 2 * quarter; i++) {
      const angle = Math.fround((i < quarter ? y[patch]! : x[patch]!) * frequencies[i % quarter]!)
      cos[patch * 2 * quarter + i] = Math.cos(angle)
      sin[patch * 2 * quarter + i] = Math.sin(angle)
    }
  return { cos, sin }
}

/** Windows over patches: which patches each holds, and where each patch is held. */
export interface Windows {
  readonly count: number
  /** `[count * side * side]`: patches by window; 0 where a window at the edge holds fewer. */
  readonly tokens: BigInt64Array<ArrayBuffer>
  /** `[count * side * side]`: 0 where there is a patch, -1e30 elsewhere. */
  readonly bias: Float32Array<ArrayBuffer>
  /** `[patches]`: the place of each patch among `tokens`. */
  readonly places: BigInt64Array<ArrayBuffer>
}

/** Windows of `side * side` patches from the first row and column on; those at the edges are smaller. */
export const patchWindows = (grid: PatchGrid, merge: number, side: number): Windows => {
  const { y, x } = patchPlaces(grid, merge)
  const across = Math.ceil(grid.columns / side)
  const count = across * Math.ceil(grid.rows / side)
  const slots = side * side
  const tokens = new BigInt64Array(count * slots)
  const bias = new Float32Array(count * slots).fill(-1e30)
  const places = new BigInt64Array(y.length)
  const used = new Int32Array(count)
  for (let patch = 0; patch < y.length; patch++) {
    const window = Math.floor(y[patch]! / side) * across + Math.floor(x[patch]! / side)
    const place = window * slots + used[window]!++
    tokens[place] = BigInt(patch)
    bias[place] = 0
    places[patch] = BigInt(place)
  }
  return { count, tokens, bias, places }
}

/**
 * Rows of a square table of learned positions for the patches of an image, row by row: those at the same fractions of its sides,
 * in float32 as transformers computes them.
 * @param side rows and columns of the table
 */
export const bucketPositions = ({ rows, columns }: PatchGrid, side: number): number[] => {
  const step = 1 / side
  const bounds = Array.from({ length: Math.ceil((1 - step) / step) }, (_, i) => Math.fround(step + i * step))
  const most = Math.fround(1 - 1e-6)
  const bucketOf = (count: number): number[] =>
    Array.from({ length: count }, (_, i) => {
      const fraction = Math.min(most, Math.fround(i * Math.fround(1 / count)))
      return bounds.filter((bound) => bound <= fraction).length
    })
  const across = bucketOf(columns)
  return bucketOf(rows).flatMap((row) => across.map((column) => row * side + column))
}
