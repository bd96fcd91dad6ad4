/**
 * A run's tokens of images: as the graph takes them, and which of them see each other.
 * @module
 */
import type { ActivationType, ImageAttention, TokenGroup } from '@awq/models'
import { type Tensor, tensor } from '@awq/ort'
import { float32ToFloat16Bits } from '@awq/tensor'
import type { SeenImages } from './seen-images.ts'

/** What a graph with images is given. */
export interface ImageRun {
  /** The ids of a run, those of images numbered from the vocabulary's end on, by their rows in `features`. */
  readonly ids: readonly number[]
  /** `[rows, hidden]`, at least one row. */
  readonly features: Tensor
}

/** What is known of a model that sees. */
export interface ImageModel {
  readonly vocabSize: number
  readonly hiddenSize: number
  readonly dtype: ActivationType
  readonly images: SeenImages
}

/** True when there is an image among the tokens. */
export const hasImages = (ids: readonly number[], vocabSize: number): boolean => ids.some((id) => id >= vocabSize)

/**
 * The rows that a run's ids stand for, in their order.
 * @throws AwqError INVALID_ARGUMENT for an id of an image that is not there any more
 */
export const imageRun = (ids: readonly number[], { vocabSize, hiddenSize, dtype, images }: ImageModel): ImageRun => {
  const count = ids.filter((id) => id >= vocabSize).length
  const rows = new Float32Array(Math.max(1, count) * hiddenSize)
  let row = 0
  const local = ids.map((id) => {
    if (id < vocabSize) return id
    const { firstId, features } = images.find(id)
    const from = (id - firstId) * hiddenSize
    rows.set(features.subarray(from, from + hiddenSize), row * hiddenSize)
    return vocabSize + row++
  })
  const data = dtype === 'float32' ? rows : Uint16Array.from(rows, float32ToFloat16Bits)
  return { ids: local, features: tensor(dtype, [rows.length / hiddenSize, hiddenSize], data) }
}

/**
 * Which of some new tokens see each other, by their positions.
 * @param past tokens before them
 */
export const tokenGroups = (
  ids: readonly number[],
  past: number,
  attention: ImageAttention,
  vocabSize: number,
): TokenGroup[] => {
  if (attention === 'causal' || !hasImages(ids, vocabSize)) return []
  if (attention === 'prefix') return [{ start: past, end: past + ids.length, windowed: false }]
  const groups: TokenGroup[] = []
  for (let at = 0; at < ids.length; at++) {
    if (ids[at]! < vocabSize) continue
    const start = at
    while (at + 1 < ids.length && ids[at + 1]! >= vocabSize) at++
    groups.push({ start: past + start, end: past + at + 1, windowed: true })
  }
  return groups
}

/**
 * The end of the next run's tokens: `chunk` of them, but none that would part a group; a longer group is a run of its own.
 * @param at position of the first token @param end position behind the last
 */
export const runEnd = (at: number, end: number, chunk: number, groups: readonly TokenGroup[]): number => {
  const wished = Math.min(end, at + chunk)
  const cut = groups.find((group) => group.start < wished && wished < group.end)
  if (!cut) return wished
  return cut.start > at ? cut.start : cut.end
}
