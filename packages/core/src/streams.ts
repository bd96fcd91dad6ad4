/**
 * Residual streams of a few sequences as flat arrays, and stacked in batches for a run.
 * @module
 */
import { type ActivationStream, TOKENS_PER_RUN } from '@awq/calibration'
import { arrangedAs, embedTokens, type SequenceBatch } from '@awq/models'
import { type Engine, tensor, zeros } from '@awq/ort'
import type { ImageSequence } from '@awq/runtime'
import type { ImageRows } from './calibration-text.ts'
import type { SourceModel } from './source-model.ts'

/** A sequence of tokens: text, or one with images. */
export type CalibrationSequence = Int32Array | ImageSequence

/** What tokens are embedded with. */
export interface EmbeddingOptions {
  readonly model: SourceModel
  readonly engine: Engine
  /** Of the images of sequences. */
  readonly rows?: ImageRows | undefined
  readonly signal?: AbortSignal | undefined
}

const idsOf = (sequence: CalibrationSequence): Int32Array => (sequence instanceof Int32Array ? sequence : sequence.ids)

/** Tokens of a sequence. */
export const lengthOf = (sequence: CalibrationSequence): number => idsOf(sequence).length

/**
 * At most so many places in sequences side by side, evenly spread, of those where a prediction matters: not in front of a row of
 * an image, which nothing predicts.
 */
export const scoredPlaces = (sequences: readonly CalibrationSequence[], vocabSize: number, most: number): number[] => {
  const places: number[] = []
  let at = 0
  for (const sequence of sequences) {
    const ids = idsOf(sequence)
    for (let i = 0; i < ids.length; i++, at++) if (i === ids.length - 1 || ids[i + 1]! < vocabSize) places.push(at)
  }
  const stride = Math.max(1, Math.ceil(places.length / most))
  return places.filter((_, i) => i % stride === 0)
}

/** Rows of a matrix. */
export const rowsAt = (values: Float32Array, width: number, places: readonly number[]): Float32Array => {
  const kept = new Float32Array(places.length * width)
  for (const [row, place] of places.entries())
    kept.set(values.subarray(place * width, (place + 1) * width), row * width)
  return kept
}

/** Each `stride`-th row of a matrix. */
export const everyRow = (values: Float32Array, width: number, stride: number): Float32Array =>
  rowsAt(
    values,
    width,
    Array.from({ length: Math.ceil(values.length / width / stride) }, (_, row) => row * stride),
  )

/** Values of a stream. */
export const valuesIn = (stream: ActivationStream): number => stream.reduce((sum, { data }) => sum + data.length, 0)

/** Arrays as one; a single one is itself. */
export const concatenated = (arrays: readonly Float32Array[]): Float32Array => {
  if (arrays.length === 1) return arrays[0]!
  const values = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0))
  let offset = 0
  for (const array of arrays) {
    values.set(array, offset)
    offset += array.length
  }
  return values
}

/** The values of a stream one after the other. */
export const joined = (stream: ActivationStream): Float32Array =>
  concatenated(stream.map(({ data }) => data as Float32Array))

/** Copies of a batch, one after the other in batches that keep the matrix products busy. */
export const stackedLike = (like: SequenceBatch, copies: readonly Float32Array[]): ActivationStream => {
  const [count, length, hiddenSize] = like.shape as [number, number, number]
  const perBatch = Math.max(1, Math.floor(TOKENS_PER_RUN / (count * length)))
  const batches: ActivationStream = []
  for (let first = 0; first < copies.length; first += perBatch) {
    const values = concatenated(copies.slice(first, first + perBatch)) as Float32Array<ArrayBuffer>
    batches.push(arrangedAs(tensor('float32', [values.length / hiddenSize / length, length, hiddenSize], values), like))
  }
  return batches
}

/** The inverse of `stackedLike`. @param size values of a copy */
export const separate = (batches: ActivationStream, size: number): Float32Array[] =>
  batches.flatMap(({ data }) =>
    Array.from({ length: data.length / size }, (_, i) => (data as Float32Array).subarray(i * size, (i + 1) * size)),
  )

/** The streams that the first block gets of sequences; texts of one length that follow each other go together. */
export const embedded = async (
  { model: { checkpoint, description }, engine, rows, signal }: EmbeddingOptions,
  sequences: readonly CalibrationSequence[],
): Promise<ActivationStream> => {
  const batches: ActivationStream = []
  let texts: Float32Array[] = []
  const { hiddenSize } = description.config
  const flush = (): void => {
    if (texts.length > 0)
      batches.push(...stackedLike(zeros('float32', [1, texts[0]!.length / hiddenSize, hiddenSize]), texts))
    texts = []
  }
  for (const sequence of sequences) {
    signal?.throwIfAborted()
    const ids = sequence instanceof Int32Array ? sequence : sequence.textIds
    const stream = await embedTokens(engine, checkpoint, description, ids, 1)
    const values = stream.data as Float32Array
    if (texts.length > 0 && values.length !== texts[0]!.length) flush()
    if (sequence instanceof Int32Array) {
      texts.push(values)
      continue
    }
    flush()
    rows?.putRows(sequence, stream)
    batches.push({ ...stream, arrangement: sequence.arrangement })
  }
  flush()
  return batches
}
