/**
 * Rotary tables of a conversation with images whose positions have three parts: row i is that of its i-th token, whatever its
 * position, so that the graphs are those of text.
 * @module
 */
import {
  type ActivationType,
  type AttentionForm,
  fillThreePartRows,
  imagePosition,
  type ModelDescription,
  type ThreePartPosition,
  textPosition,
} from '@awq/models'
import { type Feeds, type Tensor, tensor } from '@awq/ort'
import type { SeenImages } from './seen-images.ts'

/** Tables that are made as tokens come. */
export interface ImageRopes {
  /** Feeds for so many positions. Other objects than before when they had to grow. */
  feeds(positions: number): Feeds
  /** Says which tokens stand at `first` and behind it; what was known of these places is forgotten. */
  place(first: number, ids: readonly number[]): void
}

/** True for a model whose positions have three parts. */
export const hasThreeParts = ({ sequence }: ModelDescription): boolean =>
  sequence.ropes.some(({ rope }) => rope.sections)

/**
 * Where a token stands.
 * @param before the position of the one before it; none for the first
 * @param id the token's; of an image's row one past the vocabulary
 */
export const positionAfter = (
  before: ThreePartPosition | undefined,
  id: number,
  images: Pick<SeenImages, 'find'>,
  vocabSize: number,
): ThreePartPosition => {
  const base = before?.next ?? 0
  if (id < vocabSize) return textPosition(base)
  const { firstId, grid, rows } = images.find(id)
  const index = id - firstId
  // The rows of an image follow each other: all of them stand at the time of the first.
  return imagePosition(index === 0 ? base : before!.time, index, grid ?? { rows: 1, columns: rows })
}

/** Positions by which tables grow. */
const bucket = 256

/** The tables of a conversation without tokens. */
export const createImageRopes = (
  { config, sequence }: ModelDescription,
  images: SeenImages,
  form: AttentionForm,
  dtype: ActivationType = 'float32',
): ImageRopes => {
  const known: ThreePartPosition[] = []
  let made = 0
  let tables: Record<string, Tensor> = {}

  const fill = (first: number, positions: readonly ThreePartPosition[]): void => {
    for (const [i, need] of sequence.ropes.entries()) {
      const name = i === 0 ? 'rope' : `rope${i + 1}`
      const [cos, sin] = [tables[`${name}.cos`], tables[`${name}.sin`]].map(
        (table) => table!.data as Float32Array | Uint16Array,
      )
      fillThreePartRows({ need, form, dtype }, { cos: cos!, sin: sin! }, first, positions)
    }
  }

  const grow = (positions: number): void => {
    if (positions <= made) return
    made = Math.max(2 * made, Math.ceil(positions / bucket) * bucket)
    tables = {}
    for (const [i, { rope }] of sequence.ropes.entries())
      for (const part of ['cos', 'sin']) {
        const size = (made * rope.width) / 2
        const data = dtype === 'float32' ? new Float32Array(size) : new Uint16Array(size)
        tables[`${i === 0 ? 'rope' : `rope${i + 1}`}.${part}`] = tensor(dtype, [made, rope.width / 2], data)
      }
    fill(0, known)
  }

  return {
    feeds(positions) {
      grow(positions)
      return tables
    },
    place(first, more) {
      known.length = Math.min(known.length, first)
      // Tokens before the first image stand where they would in text.
      while (known.length < first) known.push(textPosition(known.length))
      for (const id of more) known.push(positionAfter(known.at(-1), id, images, config.vocabSize))
      grow(known.length)
      fill(first, known.slice(first))
    },
  }
}
