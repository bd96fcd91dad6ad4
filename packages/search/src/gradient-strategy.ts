import { cachedSession, tensor } from '@awq/ort'
import { effectiveGroupSize, groupsPerRow } from '@awq/quantize'
import { AwqError } from '@awq/tensor'
import { alphaStrategy } from './alpha-strategy.ts'
import { scaleGradientGraph } from './gradient-graph.ts'
import { logSteps } from './log-steps.ts'
import { resident } from './resident.ts'
import { rowChunks } from './row-chunks.ts'
import { chunkTensor } from './scale-loss.ts'
import { betterChoice, type ScaleContext, type ScaleStrategy } from './strategy.ts'

/** Options of {@link gradientStrategy}. */
export interface GradientOptions {
  /** Steps to take; default 40. */
  readonly steps?: number | undefined
  /** The first step's length in log s; later ones shrink to 0 along a half cosine. Default 0.05. */
  readonly rate?: number | undefined
  /** Where to start; default {@link alphaStrategy}. */
  readonly start?: ScaleStrategy | undefined
}

/**
 * Refines a scale by steps on log s along the gradient of the linear objective with a straight-through estimate of
 * rounding ({@link scaleGradientGraph}); steps as Adam takes them (arXiv 1412.6980). Every step also gives the exact
 * loss of where it stands, so the best scale seen is what is kept, judged against the start by the objective in force.
 *
 * @throws AwqError INVALID_ARGUMENT for steps or a rate that are not positive; its search rejects with `signal.reason`.
 */
export function gradientStrategy(options: GradientOptions = {}): ScaleStrategy {
  const { steps = 40, rate = 0.05, start = alphaStrategy() } = options
  if (!Number.isSafeInteger(steps) || steps < 1 || !(rate > 0 && rate < 10)) {
    throw new AwqError('INVALID_ARGUMENT', `a gradient search needs steps and a rate, not ${steps} steps at ${rate}`)
  }
  return {
    name: 'gradient',
    options: { steps, rate, start: { name: start.name, ...start.options } },
    async search(context) {
      const first = await start.search(context)
      return betterChoice(context, first, await descend(context, first.scale, steps, rate))
    },
  }
}

/** The scale with the least linear loss on the way from `start`. */
async function descend(context: ScaleContext, start: Float32Array, steps: number, rate: number): Promise<Float32Array> {
  const measure = await openGradient(context)
  try {
    const onStep = (done: number) => context.onProgress?.({ done, total: steps })
    return await logSteps(start, context.producerRow, measure.run, { steps, rate, onStep })
  } finally {
    measure.dispose()
  }
}

async function openGradient({ engine, weights, width, stats, spec, signal }: ScaleContext) {
  const groupSize = effectiveGroupSize(spec.groupSize, width)
  const padded = groupSize * groupsPerRow(spec.groupSize, width)
  const key = `search gradient ${padded} ${groupSize} ${spec.bits} ${spec.symmetric}`
  const session = await cachedSession(engine, key, () => scaleGradientGraph(padded, groupSize, spec).toBytes())
  const held = resident(engine)
  const gram = held.keep(tensor('float32', [padded, padded], padSquare(stats.gram, width, padded)))
  const chunks = rowChunks(weights, width, padded).map((chunk) => held.keep(chunkTensor(chunk, padded)))
  const run = async (scale: Float32Array) => {
    const multiplier = new Float32Array(padded).fill(1)
    multiplier.set(scale)
    const inverse = multiplier.map((value) => 1 / value)
    const vectors = { scale: tensor('float32', [padded], multiplier), inverse: tensor('float32', [padded], inverse) }
    const gradient = new Float64Array(width)
    let loss = 0
    for (const weight of chunks) {
      signal?.throwIfAborted()
      const outputs = await session.run({ weight, gram, ...vectors })
      loss += outputs.loss!.data[0] as number
      const part = outputs.gradient!.data as Float32Array
      for (let column = 0; column < width; column++) gradient[column]! += part[column]!
    }
    return { loss, gradient }
  }
  return { run, dispose: () => held.dispose() }
}

function padSquare(matrix: Float32Array, width: number, padded: number): Float32Array {
  if (padded === width) return matrix
  const result = new Float32Array(padded * padded)
  for (let row = 0; row < width; row++) result.set(matrix.subarray(row * width, (row + 1) * width), row * padded)
  return result
}
