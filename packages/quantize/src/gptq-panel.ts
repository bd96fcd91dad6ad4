import { ROUNDER } from './grid.ts'

/** The columns that are rounded together, each stored as a row over the matrix's output rows. */
export interface Panel {
  /** [size, rows]: the weights plus the correction for the errors of all columns before the panel. */
  readonly corrected: Float32Array
  /** [size, rows]: the original weights; each row is replaced by weight - dequantized weight once it is rounded. */
  readonly errors: Float32Array
  /** [size, size]: how much of the error of each earlier column (second index) a column takes over. */
  readonly feedback: Float32Array
  readonly size: number
  readonly rows: number
  /** [size]: the group of each column. */
  readonly groups: Int32Array
  /** [groups, rows]. */
  readonly scales: Float32Array
  /** [groups, rows]. */
  readonly zeros: Float32Array
  /** The largest code. */
  readonly steps: number
}

/** Rows that are taken through a panel together: its columns of them stay in the processor's cache. */
const TILE = 256

/** Rounds the columns of a panel in turn; returns their codes [size, rows]. */
export function roundPanel(panel: Panel): Uint8Array {
  const { corrected, errors, feedback, size, rows, groups } = panel
  const codes = new Uint8Array(size * rows)
  for (let start = 0; start < rows; start += TILE) {
    const stop = Math.min(rows, start + TILE)
    for (let column = 0; column < size; column++) {
      addErrors(corrected, errors, feedback, column, size, rows, start, stop)
      roundColumn(panel, codes, column, groups[column] as number, start, stop)
    }
  }
  return codes
}

/** corrected[column] += sum over the panel's earlier columns j of feedback[column, j] · errors[j], eight at a time. */
function addErrors(
  corrected: Float32Array,
  errors: Float32Array,
  feedback: Float32Array,
  column: number,
  size: number,
  rows: number,
  start: number,
  stop: number,
): void {
  const target = column * rows
  let earlier = 0
  for (; earlier + 8 <= column; earlier += 8) {
    const weights = column * size + earlier
    const f0 = feedback[weights] as number
    const f1 = feedback[weights + 1] as number
    const f2 = feedback[weights + 2] as number
    const f3 = feedback[weights + 3] as number
    const f4 = feedback[weights + 4] as number
    const f5 = feedback[weights + 5] as number
    const f6 = feedback[weights + 6] as number
    const f7 = feedback[weights + 7] as number
    const e = earlier * rows
    for (let row = start; row < stop; row++) {
      corrected[target + row] =
        (corrected[target + row] as number) +
        f0 * (errors[e + row] as number) +
        f1 * (errors[e + rows + row] as number) +
        f2 * (errors[e + 2 * rows + row] as number) +
        f3 * (errors[e + 3 * rows + row] as number) +
        f4 * (errors[e + 4 * rows + row] as number) +
        f5 * (errors[e + 5 * rows + row] as number) +
        f6 * (errors[e + 6 * rows + row] as number) +
        f7 * (errors[e + 7 * rows + row] as number)
    }
  }
  for (; earlier < column; earlier++) {
    const weight = feedback[column * size + earlier] as number
    const e = earlier * rows
    for (let row = start; row < stop; row++) {
      corrected[target + row] = (corrected[target + row] as number) + weight * (errors[e + row] as number)
    }
  }
}

/** code = clamp(round(corrected / scale) + zero), error = weight - (code - zero) · scale, for one column. */
function roundColumn(panel: Panel, codes: Uint8Array, column: number, group: number, start: number, stop: number) {
  const { corrected, errors, scales, zeros, steps, rows } = panel
  const target = column * rows
  const grid = group * rows
  for (let row = start; row < stop; row++) {
    const scale = scales[grid + row] as number
    const zero = zeros[grid + row] as number
    const nearest = Math.fround((corrected[target + row] as number) / scale) + ROUNDER - ROUNDER + zero
    const code = nearest < 0 ? 0 : Math.min(nearest, steps)
    codes[target + row] = code
    errors[target + row] = (errors[target + row] as number) - (code - zero) * scale
  }
}
