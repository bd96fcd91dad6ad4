/**
 * Residual streams of a few sequences as flat arrays, and stacked in batches for a run.
 * @module
 */
import { type ActivationStream, TOKENS_PER_RUN } from '@awq/calibration'
import { embedTokens } from '@awq/models'
import { type Engine, tensor } from '@awq/ort'
import type { SourceModel } from './source-model.ts'

/** What tokens are embedded with. */
export interface EmbeddingOptions {
  readonly model: SourceModel
  readonly engine: Engine
  readonly signal?: AbortSignal | undefined
}

/** Each `stride`-th row of a matrix. */
export const everyRow = (values: Float32Array, width: number, stride: number): Float32Array => {
  const rows = Math.ceil(values.length / width / stride)
  const kept = new Float32Array(rows * width)
  for (let row = 0; row < rows; row++)
    kept.set(values.subarray(row * stride * width, (row * stride + 1) * width), row * width)
  return kept
}

/** The values of a stream one after the other. */
export const joined = (stream: ActivationStream): Float32Array => {
  if (stream.length === 1) return stream[0]!.data as Float32Array
  const values = new Float32Array(stream.reduce((sum, { data }) => sum + data.length, 0))
  let offset = 0
  for (const { data } of stream) {
    values.set(data as Float32Array, offset)
    offset += data.length
  }
  return values
}

/** Streams side by side in batches that keep the matrix products busy. */
export const stacked = (streams: readonly Float32Array[], length: number, hiddenSize: number): ActivationStream => {
  const tokens = (streams[0]?.length ?? 0) / hiddenSize
  const perBatch = Math.max(1, Math.floor(TOKENS_PER_RUN / tokens))
  const batches: ActivationStream = []
  for (let first = 0; first < streams.length; first += perBatch) {
    const values = joined(streams.slice(first, first + perBatch).map((data) => tensor('float32', [data.length], data)))
    batches.push(tensor('float32', [values.length / hiddenSize / length, length, hiddenSize], values))
  }
  return batches
}

/** The inverse of `stacked`. */
export const separate = (batches: ActivationStream, size: number): Float32Array[] =>
  batches.flatMap(({ data }) =>
    Array.from({ length: data.length / size }, (_, i) => (data as Float32Array).subarray(i * size, (i + 1) * size)),
  )

/** The streams that the first block gets of token sequences of one length, side by side. */
export const embedded = async (
  { model: { checkpoint, description }, engine, signal }: EmbeddingOptions,
  sequences: readonly Int32Array[],
): Promise<ActivationStream> => {
  const streams: Float32Array[] = []
  for (const ids of sequences) {
    signal?.throwIfAborted()
    streams.push((await embedTokens(engine, checkpoint, description, ids, 1)).data as Float32Array)
  }
  return stacked(streams, sequences[0]!.length, description.config.hiddenSize)
}
