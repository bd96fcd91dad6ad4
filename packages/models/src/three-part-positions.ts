/**
 * Positions of three parts (M-RoPE, arXiv 2409.12191, section 2.1): time, row and column. A token of text has the same number in
 * all three; rows of an image stand at one time, by their row and column; what follows an image goes on behind its longer side.
 * @module
 */
import { float32ToFloat16Bits } from '@awq/tensor'
import { type AttentionForm, ropeFactor } from './attention.ts'
import { ropeFrequencies } from './rope.ts'
import type { ActivationType } from './sequence.ts'
import type { RopeNeed } from './sequence-needs.ts'
import type { PatchGrid } from './vision/grid.ts'

/** Where a token stands, and where the image that it belongs to begins. */
export interface ThreePartPosition {
  readonly time: number
  readonly row: number
  readonly column: number
  /** Where text would go on behind it. */
  readonly next: number
}

/** The position of a token of text. */
export const textPosition = (at: number): ThreePartPosition => ({ time: at, row: at, column: at, next: at + 1 })

/**
 * The position of one row of an image.
 * @param base where text would stand in the image's place
 * @param index of the row, from 0
 */
export const imagePosition = (base: number, index: number, { rows, columns }: PatchGrid): ThreePartPosition => ({
  time: base,
  row: base + Math.floor(index / columns),
  column: base + (index % columns),
  next: base + Math.max(rows, columns),
})

/**
 * Writes the cosines and sines of tokens into tables whose row i is that of the i-th token, as the graphs read them.
 * @param first row of the first token
 */
export const fillThreePartRows = (
  { need, form, dtype }: { readonly need: RopeNeed; readonly form: AttentionForm; readonly dtype: ActivationType },
  tables: { readonly cos: Float32Array | Uint16Array; readonly sin: Float32Array | Uint16Array },
  first: number,
  positions: readonly ThreePartPosition[],
): void => {
  const { rope } = need
  const half = rope.width / 2
  const { frequencies, factor } = ropeFrequencies(rope, rope.width, first + positions.length, rope.span)
  const [time, row] = rope.sections ?? [half, 0, 0]
  const scale = factor * ropeFactor(form, need)
  const typed = (value: number): number => (dtype === 'float32' ? value : float32ToFloat16Bits(value))
  for (const [i, position] of positions.entries())
    for (let j = 0; j < half; j++) {
      const at = j < time ? position.time : j < time + row ? position.row : position.column
      const angle = Math.fround(at * frequencies[j]!)
      tables.cos[(first + i) * half + j] = typed(Math.cos(angle) * scale)
      tables.sin[(first + i) * half + j] = typed(Math.sin(angle) * scale)
    }
}
