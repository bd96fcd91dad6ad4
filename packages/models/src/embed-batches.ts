/**
 * Token sequences to the residual streams that the first block reads, several sequences to a run.
 * @module
 */
import type { Tensor } from '@awq/ort'

/**
 * Embeds sequences of one length in batches of at most `tokensPerRun` tokens (one sequence at least).
 * @param embed `ForwardModel.embed`, or `embedTokens` of a checkpoint
 * @returns float32 `[batch, length, hidden]` for each batch, in order
 */
export const embedBatches = async (
  embed: (ids: Int32Array, batch: number) => Promise<Tensor>,
  sequences: readonly Int32Array[],
  tokensPerRun: number,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Tensor[]> => {
  const length = sequences[0]?.length ?? 0
  const perRun = Math.max(1, Math.floor(tokensPerRun / length))
  const batches: Tensor[] = []
  for (let first = 0; first < sequences.length; first += perRun) {
    options.signal?.throwIfAborted()
    const batch = sequences.slice(first, first + perRun)
    const ids = new Int32Array(batch.length * length)
    for (const [i, sequence] of batch.entries()) ids.set(sequence, i * length)
    batches.push(await embed(ids, batch.length))
  }
  return batches
}
