import type { ActivationStream } from '@awq/calibration'
import { arrangedAs, type SequenceBatch } from '@awq/models'
import { tensor } from '@awq/ort'
import type { Pass } from './block-state.ts'

/** How many tokens of the blocks' inputs some passes ask for; Infinity for all. */
export const inputTokensOf = (passes: readonly Pass[]): number =>
  Math.max(0, ...passes.map(({ inputTokens }) => (inputTokens === 'all' ? Infinity : (inputTokens ?? 0))))

/** True when a pass compares the float model with what is quantized of it. */
export const wantsQuantizedInputs = (passes: readonly Pass[]): boolean =>
  passes.some(({ quantizedInputs }) => quantizedInputs)

/**
 * Copies of whole sequences, spread evenly over a stream.
 * @param tokens about how many; rounded up to whole sequences, none for 0, all for Infinity
 * @returns float32 `[1, length, hidden]` each
 */
export const keepInputs = (stream: ActivationStream, tokens: number): SequenceBatch[] => {
  if (tokens === 0 || stream.length === 0) return []
  const all = stream.flatMap((batch) => {
    const [count, length, hidden] = batch.shape as [number, number, number]
    return Array.from({ length: count }, (_, index) => ({ batch, length, hidden, at: index * length * hidden }))
  })
  const average = all.reduce((sum, { length }) => sum + length, 0) / all.length
  const wanted = Math.min(all.length, Math.ceil(tokens / average))
  return Array.from({ length: wanted }, (_, index) => {
    const { batch, length, hidden, at } = all[Math.floor((index * all.length) / wanted)]!
    const values = (batch.data as Float32Array).slice(at, at + length * hidden)
    return arrangedAs(tensor('float32', [1, length, hidden], values), batch)
  })
}
