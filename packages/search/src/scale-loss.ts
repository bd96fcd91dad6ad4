import { Graph } from '@awq/onnx'
import { cachedSession, type Engine, tensor } from '@awq/ort'
import { checkSpec, effectiveGroupSize, groupsPerRow, type QuantSpec } from '@awq/quantize'
import { AwqError } from '@awq/tensor'
import { emitScaledError, type GridRule } from './fake-quantize.ts'
import { emitGramForm, gramFeeds } from './gram-form.ts'
import { resident } from './resident.ts'
import { type RowChunk, rowChunks, type WeightRows } from './row-chunks.ts'
import type { EvaluateScales } from './strategy.ts'

/** What a scale is judged on. */
export interface ScaleProblem {
  /** The linears that read the same input, each [rows, width]; their losses add up. */
  readonly weights: readonly WeightRows[]
  readonly width: number
  /** [width, width], symmetric: mean of x x^T over the input. */
  readonly gram: Float32Array
  readonly spec: QuantSpec
  /** How ranges and grids come about, where it is not as they are stored. */
  readonly rule?: GridRule | undefined
}

/** Options of every search. */
export interface SearchOptions {
  readonly signal?: AbortSignal | undefined
  /** Called after each candidate. */
  readonly onProgress?: ((event: { readonly done: number; readonly total: number }) => void) | undefined
}

/** A problem that is ready to judge scales. */
export interface ScaleLoss {
  readonly evaluate: EvaluateScales
  /** Frees what lies on the engine's device. */
  dispose(): void
}

/**
 * Prepares the linear objective: sum over the weights of tr(E G E^T) with E = Q(W S) S^-1 - W, which is the mean squared
 * error of the outputs, summed over outputs (arXiv 2306.00978, eq. 4, on all tokens at once). Q rounds as the quantizer
 * stores: float16 scales, half to even.
 *
 * @returns `evaluate`, which rejects with AwqError INVALID_ARGUMENT for scales that are not positive, and `signal.reason`
 * @throws AwqError INVALID_ARGUMENT for shapes that do not fit
 */
export async function openScaleLoss(
  engine: Engine,
  problem: ScaleProblem,
  options: SearchOptions = {},
): Promise<ScaleLoss> {
  const { weights, width, gram, rule = {} } = problem
  const spec = checkSpec(problem.spec)
  checkProblem(width, gram)
  const groupSize = effectiveGroupSize(spec.groupSize, width)
  const padded = groupSize * groupsPerRow(spec.groupSize, width)
  const chunks = rowChunks(weights, width, padded)
  const key = `search scale ${padded} ${groupSize} ${spec.bits} ${spec.symmetric} ${JSON.stringify(rule)}`
  const session = await cachedSession(engine, key, () => scaleLossGraph(padded, groupSize, spec, rule).toBytes())
  const held = resident(engine)
  const constant = Object.fromEntries(
    Object.entries(gramFeeds(gram, width, padded)).map(([name, value]) => [name, held.keep(value)] as const),
  )
  const rows = chunks.map((chunk) => held.keep(chunkTensor(chunk, padded)))
  const evaluate: EvaluateScales = async (scales) => {
    checkScales(width, scales)
    const losses: number[] = []
    for (const scale of scales) {
      const multiplier = padScale(scale, padded)
      const inverse = multiplier.map((value) => 1 / value)
      const feeds = {
        ...constant,
        scale: tensor('float32', [padded], multiplier),
        inverse: tensor('float32', [padded], inverse),
      }
      let loss = 0
      for (const weight of rows) {
        options.signal?.throwIfAborted()
        const outputs = await session.run({ ...feeds, weight })
        loss += outputs.loss!.data[0] as number
      }
      losses.push(loss)
      options.onProgress?.({ done: losses.length, total: scales.length })
    }
    return losses
  }
  return { evaluate, dispose: () => held.dispose() }
}

/**
 * The linear objective of some scales, at once: see {@link openScaleLoss}. A loss is NaN or infinite when a scale leaves
 * float16.
 *
 * @param scales each [width], positive
 * @throws AwqError INVALID_ARGUMENT for shapes that do not fit or scales that are not positive; `signal.reason`.
 */
export async function evaluateScales(
  engine: Engine,
  problem: ScaleProblem,
  scales: readonly Float32Array[],
  options: SearchOptions = {},
): Promise<number[]> {
  const loss = await openScaleLoss(engine, problem, options)
  try {
    return await loss.evaluate(scales)
  } finally {
    loss.dispose()
  }
}

/** `weight` [rows, padded], `scale` and `inverse` [padded], the gram's blocks -> `loss`, a scalar. */
function scaleLossGraph(padded: number, groupSize: number, spec: QuantSpec, rule: GridRule): Graph {
  const graph = new Graph('scale-loss')
  const weight = graph.input('weight', 'float32', ['rows', padded])
  const scale = graph.input('scale', 'float32', [padded])
  const inverse = graph.input('inverse', 'float32', [padded])
  const error = emitScaledError(graph, weight, { scale, inverse }, { padded, groupSize, spec, rule })
  graph.output('loss', emitGramForm(graph, error, padded))
  return graph
}

export const chunkTensor = ({ data, rows }: RowChunk, padded: number) => tensor('float32', [rows, padded], data)

/** A scale [width] with ones up to `padded`. */
export function padScale(scale: Float32Array, padded: number): Float32Array {
  const result = new Float32Array(padded).fill(1)
  result.set(scale)
  return result
}

function checkProblem(width: number, gram: Float32Array): void {
  if (!Number.isSafeInteger(width) || width < 1 || gram.length !== width * width) {
    throw new AwqError('INVALID_ARGUMENT', `a gram matrix of ${gram.length} values is not [${width}, ${width}]`)
  }
}

/** @throws AwqError INVALID_ARGUMENT for a scale that is not [width], positive and finite */
export function checkScales(width: number, scales: readonly Float32Array[]): void {
  scales.forEach((scale, index) => {
    if (scale.length !== width) {
      throw new AwqError('INVALID_ARGUMENT', `scale ${index} has ${scale.length} values for a width of ${width}`)
    }
    const wrong = scale.findIndex((value) => !(value > 0 && value < Number.POSITIVE_INFINITY))
    if (wrong >= 0) {
      throw new AwqError(
        'INVALID_ARGUMENT',
        `scale ${index} is ${scale[wrong]} at channel ${wrong}: it must be positive`,
      )
    }
  })
}
