import { Graph } from '@awq/onnx'
import { type Engine, tensor } from '@awq/ort'
import { AwqError } from '@awq/tensor'
import { createAccumulator } from './accumulator.ts'
import { observeStats } from './observe.ts'
import type { ActivationStats } from './stats.ts'

/**
 * The statistics of activations at hand, for those who have them from elsewhere.
 * @param x float32 [tokens, width]
 * @throws AwqError INVALID_ARGUMENT when x is no such matrix, NUMERIC when a value is NaN or infinite.
 */
export async function collectStats(
  engine: Engine,
  x: Float32Array,
  width: number,
  options: { readonly name?: string; readonly sampleRows?: number; readonly signal?: AbortSignal | undefined } = {},
): Promise<ActivationStats> {
  const { name = 'x', signal } = options
  const tokens = x.length / width
  if (!Number.isSafeInteger(width) || width < 1 || !Number.isSafeInteger(tokens) || tokens < 1) {
    throw new AwqError('INVALID_ARGUMENT', `${name}: ${x.length} values are no matrix of width ${width}`)
  }
  const graph = new Graph('statistics')
  observeStats(graph, name, graph.input('x', 'float32', ['tokens', width]))
  const accumulator = createAccumulator([{ site: name, width }], {
    totalTokens: tokens,
    sampleRows: options.sampleRows,
  })
  const session = await engine.createSession(graph.toBytes(), { signal })
  try {
    const step = accumulator.step(tokens)
    const feeds = { ...step.feeds, x: tensor('float32', [tokens, width], x) }
    step.commit(await session.run(feeds, { into: step.into, signal }))
    return accumulator.finish().get(name)!
  } finally {
    await session.dispose()
  }
}
