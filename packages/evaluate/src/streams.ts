/**
 * Residual streams of many windows, carried through a model block by block: at any time one block's weights and the
 * streams are in memory, nothing else.
 * @module
 */
import { arrangedAs, embedBatches, type ForwardModel, type SequenceBatch } from '@awq/models'
import { tensor } from '@awq/ort'
import { turnEventLoop } from '@awq/runtime'

/** Tokens that run through a block together; short windows are batched up to it. */
export const tokensPerRun = 2048

/** Options of a pass. */
export interface StreamOptions {
  readonly signal?: AbortSignal | undefined
  /** Called after each block. */
  readonly onBlock?: ((done: number) => void) | undefined
}

/**
 * Carries residual streams through all blocks.
 * @param runs as embedded; replaced in place by what leaves the last block
 */
export const carryStreams = async (
  model: ForwardModel,
  runs: SequenceBatch[],
  { signal, onBlock }: StreamOptions = {},
): Promise<void> => {
  for (let layer = 0; layer < model.description.config.layers; layer++) {
    await using block = await model.openBlock(layer, { signal })
    for (const [i, hidden] of runs.entries()) {
      signal?.throwIfAborted()
      const next = await block.run(hidden, { signal })
      const own = next.data === hidden.data ? tensor('float32', next.shape, next.data.slice() as Float32Array) : next
      runs[i] = arrangedAs(own, hidden)
      await turnEventLoop()
    }
    onBlock?.(layer + 1)
  }
}

/**
 * The residual streams after the last block.
 * @param windows token ids, all of the same length
 * @returns float32 `[length, hidden]` for each window
 */
export const residualStreams = async (
  model: ForwardModel,
  windows: readonly Int32Array[],
  options: StreamOptions = {},
): Promise<Float32Array[]> => {
  const { hiddenSize } = model.description.config
  const length = windows[0]?.length ?? 0
  const runs = await embedBatches((ids, batch) => model.embed(ids, batch), windows, tokensPerRun, options)
  await carryStreams(model, runs, options)
  const size = length * hiddenSize
  return runs.flatMap((run) =>
    Array.from({ length: run.shape[0] ?? 0 }, (_, i) => (run.data as Float32Array).subarray(i * size, (i + 1) * size)),
  )
}
