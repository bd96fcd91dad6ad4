/**
 * Token ids of a float checkpoint to the residual stream of the first block.
 * @module
 */
import { cachedSession, type Engine, type Tensor, zeros } from '@awq/ort'
import { AwqError, type Checkpoint, readFloat32 } from '@awq/tensor'
import type { ModelDescription } from './describe.ts'
import { emitEmbedding } from './emit-outer.ts'
import { findParameter, outerFeeds, outerInputs } from './float-weights.ts'

/** Checks ids against the vocabulary. */
export const checkIds = (ids: ArrayLike<number>, vocabSize: number): void => {
  for (let i = 0; i < ids.length; i++)
    if (!(Number.isInteger(ids[i]) && ids[i]! >= 0 && ids[i]! < vocabSize))
      throw new AwqError('INVALID_ARGUMENT', `token id ${ids[i]} is outside the vocabulary of ${vocabSize} tokens`)
}

/** Rows of an embedding table that are read at once, at most. */
const ROWS_PER_READ = 1024

/**
 * Rows of the embedding table into tensors that are there, one after the other. Every row of the table is read once,
 * whatever the number of tokens, and rows that lie together are read together.
 */
const gatherRows = async (
  checkpoint: Checkpoint,
  { config, embedding }: ModelDescription,
  ids: Int32Array,
  targets: readonly Tensor[],
  signal: AbortSignal | undefined,
): Promise<void> => {
  const width = config.embeddingSize
  const table = findParameter(checkpoint, { name: embedding, shape: [config.vocabSize, width] })
  const ends: number[] = []
  for (const { data } of targets) ends.push((ends.at(-1) ?? 0) + data.length / width)
  const write = (position: number, row: Float32Array): void => {
    const at = ends.findIndex((end) => position < end)
    ;(targets[at]!.data as Float32Array).set(row, (position - (ends[at - 1] ?? 0)) * width)
  }
  const order = Uint32Array.from(ids.keys()).sort((a, b) => ids[a]! - ids[b]!)
  for (let first = 0; first < order.length; ) {
    signal?.throwIfAborted()
    const start = ids[order[first]!]!
    let next = first + 1
    let last = start
    // Reading a few rows in vain is cheaper than another request.
    for (; next < order.length; next++) {
      const id = ids[order[next]!]!
      if (id - last > 4 || id - start >= ROWS_PER_READ) break
      last = id
    }
    const rows = await readFloat32(table, { rows: [start, last + 1], signal })
    for (; first < next; first++) {
      const offset = (ids[order[first]!]! - start) * width
      write(order[first]!, rows.subarray(offset, offset + width))
    }
  }
}

/**
 * Embeds sequences into tensors that are there: float32 `[batch, length, hidden]`, filled one after the other; each row of
 * a tensor is a sequence from position 0.
 * @throws AwqError `INVALID_ARGUMENT` for an id outside the vocabulary
 */
export const embedInto = async (
  engine: Engine,
  checkpoint: Checkpoint,
  description: ModelDescription,
  ids: Int32Array,
  targets: readonly Tensor[],
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> => {
  const { config, outer } = description
  const { signal } = options
  checkIds(ids, config.vocabSize)
  if (outer.embed.steps.length === 0) return gatherRows(checkpoint, description, ids, targets, signal)
  const width = config.embeddingSize
  const { modelType } = config
  const key = `models embed ${JSON.stringify([modelType, width, outer.embed.steps])}`
  const session = await cachedSession(engine, key, () =>
    emitEmbedding(description, outerInputs(description), (graph) =>
      graph.input('embedded', 'float32', ['batch', 'sequence', width]),
    ).toBytes(),
  )
  const feeds = await outerFeeds(checkpoint, description, true)
  let from = 0
  for (const target of targets) {
    const [batch, length] = target.shape as [number, number]
    const embedded = zeros('float32', [batch, length, width])
    const to = from + batch * length
    await gatherRows(checkpoint, description, ids.subarray(from, to), [embedded], signal)
    await session.run({ ...feeds, embedded }, { into: { hidden: target }, signal })
    from = to
  }
}

/**
 * Embeds token ids of a float checkpoint.
 * @param ids `batch * length` ids, row-major
 * @returns float32 `[batch, length, hidden]`
 * @throws AwqError `INVALID_ARGUMENT` for an id outside the vocabulary
 */
export const embedTokens = async (
  engine: Engine,
  checkpoint: Checkpoint,
  description: ModelDescription,
  ids: Int32Array,
  batch: number,
): Promise<Tensor> => {
  const embedded = zeros('float32', [batch, ids.length / batch, description.config.hiddenSize])
  await embedInto(engine, checkpoint, description, ids, [embedded])
  return embedded
}
