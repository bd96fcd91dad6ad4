/**
 * Where the accumulators of one site live. The gram is symmetric, so only blocks on and below its diagonal are
 * accumulated: products of pieces of the columns with one another. Pieces are small enough for what a product reads to
 * stay in the processor's cache, and save up to 7/16 of the arithmetic of the whole matrix.
 * @module
 */

/** Columns start..end, end not included. */
export interface Piece {
  readonly start: number
  readonly end: number
}

/** A block of the gram: rows of one piece, columns of the same or of an earlier one. */
export interface GramBlock {
  /** Places of the pieces in the list of all. */
  readonly row: number
  readonly column: number
  readonly rows: Piece
  readonly columns: Piece
}

/** Below this a product is hardly worth its start. */
const LEAST_PIECE = 192
/** More would be many products, and save little more. */
const MOST_PIECES = 8

/** The pieces of `width` columns: at least 192 wide, at most eight, multiples of 16, as matrix kernels like them. */
export function gramPieces(width: number): Piece[] {
  const wanted = Math.min(MOST_PIECES, Math.max(1, Math.floor(width / LEAST_PIECE)))
  const size = Math.ceil(width / wanted / 16) * 16
  const pieces: Piece[] = []
  for (let start = 0; start < width; start += size) pieces.push({ start, end: Math.min(width, start + size) })
  return pieces
}

/** The blocks on and below the diagonal, row by row. */
export function gramBlocks(width: number): GramBlock[] {
  const pieces = gramPieces(width)
  return pieces.flatMap((rows, row) =>
    pieces.slice(0, row + 1).map((columns, column) => ({ row, column, rows, columns })),
  )
}

/**
 * The whole matrix of sums, each over `count`.
 * @param sums the blocks of `gramBlocks(width)`, in order
 * @returns [width, width]
 */
export function assembleGram(width: number, sums: readonly Float32Array[], count: number): Float32Array {
  const gram = new Float32Array(width * width)
  gramBlocks(width).forEach(({ rows, columns }, index) => {
    const block = sums[index]!
    const size = columns.end - columns.start
    for (let row = rows.start; row < rows.end; row++) {
      for (let column = columns.start; column < Math.min(columns.end, row + 1); column++) {
        const mean = block[(row - rows.start) * size + column - columns.start]! / count
        gram[row * width + column] = mean
        gram[column * width + row] = mean
      }
    }
  })
  return gram
}

/** The output that carries the new value of an accumulator. */
export const nextName = (name: string): string => `${name}.next`

/** The public names of a site's accumulators in a graph: inputs, and outputs with `.next` behind. */
export const statsNames = (site: string) => ({
  /** Block k of the sum of x x^T, [rows, columns]. */
  gram: (block: number) => `stats.${site}.gram.${block}`,
  /** Sum of |x|, [width]. */
  sumAbs: `stats.${site}.sumAbs`,
  /** Max of |x|, [width]. */
  maxAbs: `stats.${site}.maxAbs`,
  /** Of experts' sites: tokens that came by, [1]. */
  reached: `stats.${site}.reached`,
  /** Input: int64 [rows], the tokens of this run to keep. */
  rows: `stats.${site}.rows`,
  /** Output: [rows, width], those tokens' activations. */
  sample: `stats.${site}.sample`,
  /** The output that carries the new value of an accumulator. */
  next: nextName,
})
