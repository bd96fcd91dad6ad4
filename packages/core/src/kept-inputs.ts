import type { ActivationStream } from '@awq/calibration'
import { type Tensor, tensor } from '@awq/ort'
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
export const keepInputs = (stream: ActivationStream, tokens: number): Tensor[] => {
  if (tokens === 0 || stream.length === 0) return []
  const [, length, hidden] = stream[0]!.shape as [number, number, number]
  const all = stream.flatMap(({ data, shape }) =>
    Array.from({ length: shape[0]! }, (_, index) =>
      (data as Float32Array).subarray(index * length * hidden, (index + 1) * length * hidden),
    ),
  )
  const wanted = Math.min(all.length, Math.ceil(tokens / length))
  return Array.from({ length: wanted }, (_, index) =>
    tensor('float32', [1, length, hidden], all[Math.floor((index * all.length) / wanted)]!.slice()),
  )
}
